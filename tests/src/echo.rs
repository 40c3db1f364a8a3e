//! An origin that changes the protocol when it is asked to, greets at once, and sends back all that comes.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{self, Receiver, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::{loopback::Loopback, wait};

/// What the origin says right behind its 101, in the same segment.
pub const GREETING: &str = "welcome\n";

/// A server for many connections on two threads. It answers a request with `Upgrade` with 101, and others with 200.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    listener: TcpListener,
    heads: Mutex<Vec<String>>,
    open: AtomicUsize,
}

/// One connection.
#[derive(Debug)]
struct Line {
    stream: TcpStream,
    /// What has come of the head; none once it is answered.
    head: Option<Vec<u8>>,
}

/// A connection that has nothing to say is asked again after so long.
const PAUSE: Duration = Duration::from_millis(1);

impl Echo {
    /// Starts on an address of its own.
    pub fn start() -> Self {
        let at = SocketAddr::from((Loopback::claim().ip(), 0));
        let listener = TcpListener::bind(at).expect("an address of lo has free ports");
        // Many clients come at once.
        let _ = SockRef::from(&listener).listen(4096);
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            listener,
            heads: Mutex::default(),
            open: AtomicUsize::new(0),
        });
        let (welcome, arrivals) = mpsc::channel();
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            while let Ok((stream, _)) = accepting.listener.accept() {
                if welcome.send(stream).is_err() {
                    return;
                }
            }
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || serving.serve(&arrivals));
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.shared
            .heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Relaxed)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Gone already when the other end was faster.
        let _ = SockRef::from(&self.shared.listener).shutdown(Shutdown::Both);
    }
}

impl Shared {
    fn serve(&self, arrivals: &Receiver<TcpStream>) {
        let mut lines: Vec<Line> = Vec::new();
        loop {
            let pause = Instant::now() + PAUSE;
            loop {
                match arrivals.try_recv() {
                    Ok(stream) => lines.extend(Line::new(stream)),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            let mut quiet = true;
            lines.retain_mut(|line| match line.turn(&self.heads) {
                Ok(said) => {
                    quiet &= !said;
                    true
                }
                Err(_) => false,
            });
            self.open.store(lines.len(), Relaxed);
            if quiet {
                wait::for_the_clock(pause);
            }
        }
    }
}

impl Line {
    fn new(stream: TcpStream) -> Option<Self> {
        stream.set_nonblocking(true).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self {
            stream,
            head: Some(Vec::new()),
        })
    }

    /// Takes what has come and answers it; tells whether there was anything. Its end is an error.
    fn turn(&mut self, heads: &Mutex<Vec<String>>) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        let read = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(head) = &mut self.head else {
            self.say(&buffer[..read])?;
            return Ok(true);
        };
        head.extend_from_slice(&buffer[..read]);
        let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(true);
        };
        let behind = head.split_off(end + 4);
        let head = String::from_utf8_lossy(head).into_owned();
        self.answer(&head)?;
        heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(head);
        self.say(&behind)?;
        Ok(true)
    }

    fn answer(&mut self, head: &str) -> io::Result<()> {
        let upgrade = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("upgrade")
                .then(|| value.trim().to_owned())
        });
        let Some(protocol) = upgrade.filter(|_| !head.starts_with("GET /no")) else {
            let chunked = "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\nX-Origin: yes\r\n\r\n3\r\nno\n\r\n0\r\n\r\n";
            return self.say(chunked.as_bytes());
        };
        self.head = None;
        let agreed = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n{GREETING}"
        );
        self.say(agreed.as_bytes())
    }

    /// Says everything; whoever does not read it soon is given up.
    fn say(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let end = Instant::now() + wait::PATIENCE;
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {
                    wait::for_the_clock(Instant::now() + PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
