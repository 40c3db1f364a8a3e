//! An HTTP server for the proxy to stand in front of: it remembers what it saw, and answers as the path says.

use std::{
    io::{self, BufReader, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::{
    http::{Head, read_body},
    loopback::Loopback,
    wait,
};

/// A server on threads of this process.
///
/// `/status/404` is answered with that status, `/slow/250` after so many milliseconds, `/work/20` after so many
/// milliseconds of work, of which it does [`WORKERS`] at one time, `/mega` with a mebibyte, `/hang-up` with the end of the connection, and
/// everything else with 200 at once; unless its [`Mood`] is another.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// How many requests for `/work` are worked on at one time; the others wait for their turn.
pub const WORKERS: usize = 4;

#[derive(Debug)]
struct Shared {
    at_work: Mutex<usize>,
    one_less: Condvar,
    listener: TcpListener,
    seen: Mutex<Vec<Seen>>,
    mood: Mutex<Mood>,
    hangs_up: Mutex<bool>,
    gift: Mutex<Gift>,
    connections: Mutex<Vec<TcpStream>>,
}

/// How an origin answers, whatever the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As the path says.
    #[default]
    Well,
    /// With this status.
    Status(u16),
    /// With the end of the connection.
    HangUp,
    /// With one half of a megabyte, and the end of the connection a tenth of a second later.
    BreakOff,
}

/// What an origin puts into its answers beside the usual.
#[derive(Clone, Debug, Default)]
struct Gift {
    /// Lines of a header, each with its end.
    fields: String,
    /// Instead of the usual body.
    body: Option<String>,
}

/// A request as the origin got it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub body: String,
    head: Head,
}

impl Seen {
    /// The first value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }
}

impl Origin {
    /// Starts on an address of its own.
    pub fn start() -> Self {
        Self::at(SocketAddr::from((Loopback::claim().ip(), 0)))
    }

    /// Starts on every address of the host, in whose network namespace the calling thread is.
    pub fn on_port(port: u16) -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    }

    /// Starts on one address.
    pub fn at(address: SocketAddr) -> Self {
        let listener =
            TcpListener::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            at_work: Mutex::default(),
            one_less: Condvar::new(),
            listener,
            seen: Mutex::default(),
            mood: Mutex::default(),
            hangs_up: Mutex::default(),
            gift: Mutex::default(),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept());
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far, in the order of their heads.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// Answers otherwise from now on.
    pub fn be(&self, mood: Mood) {
        *lock(&self.shared.mood) = mood;
    }

    /// Puts a field, such as `x-token: 1`, into every answer from now on, in the place of those it was given before.
    pub fn give(&self, fields: &[&str]) {
        lock(&self.shared.gift).fields = fields.iter().flat_map(|field| [*field, "\r\n"]).collect();
    }

    /// Answers with this body from now on.
    pub fn say(&self, body: impl Into<String>) {
        lock(&self.shared.gift).body = Some(body.into());
    }

    /// Ends the connection of the next request without an answer, and goes on as before.
    pub fn hang_up_next(&self) {
        *lock(&self.shared.hangs_up) = true;
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        lock(&self.shared.seen).len()
    }

    /// The last request. None at all fails the test.
    pub fn last(&self) -> Seen {
        lock(&self.shared.seen)
            .last()
            .expect("the origin saw a request")
            .clone()
    }

    /// How many connections were opened to it.
    pub fn connections(&self) -> usize {
        lock(&self.shared.connections).len()
    }
}

impl Drop for Origin {
    /// Ends the listener and every connection, as a server that dies does.
    fn drop(&mut self) {
        // Both are gone already when the other end was faster.
        let _ = SockRef::from(&self.shared.listener).shutdown(Shutdown::Both);
        for connection in lock(&self.shared.connections).drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    /// Works for so long, once it is this request's turn.
    fn work(&self, millis: u16) {
        let waiting = self
            .one_less
            .wait_while(lock(&self.at_work), |at_work| *at_work >= WORKERS);
        *waiting.unwrap_or_else(PoisonError::into_inner) += 1;
        wait::for_the_clock(Instant::now() + Duration::from_millis(millis.into()));
        *lock(&self.at_work) -= 1;
        self.one_less.notify_one();
    }

    fn accept(self: Arc<Self>) {
        while let Ok((stream, _)) = self.listener.accept() {
            let Ok(clone) = stream.try_clone() else {
                return;
            };
            lock(&self.connections).push(clone);
            let serving = Arc::clone(&self);
            thread::spawn(move || serving.serve(stream));
        }
    }

    /// Serves until the connection breaks, which is how each of them ends.
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        while let Some(head) = Head::read(&mut reader)? {
            let body = read_body(&mut reader, &head)?;
            let mut words = head.first_line.split(' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (method, target) = (word(), word());
            let to_head = method == "HEAD";
            let body = String::from_utf8_lossy(&body).into_owned();
            lock(&self.seen).push(Seen {
                method,
                target: target.clone(),
                body,
                head,
            });
            if let Some(millis) = argument(&target, "/work/") {
                self.work(millis);
            }
            if std::mem::take(&mut *lock(&self.hangs_up)) {
                return writer.shutdown(Shutdown::Both);
            }
            let mood = *lock(&self.mood);
            let gift = lock(&self.gift).clone();
            match mood {
                Mood::Well if target != "/hang-up" => answer(&mut writer, &target, to_head, gift)?,
                Mood::Well | Mood::HangUp => return writer.shutdown(Shutdown::Both),
                Mood::Status(status) => {
                    answer(&mut writer, &format!("/status/{status}"), to_head, gift)?;
                }
                Mood::BreakOff => {
                    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
                    writer.write_all((head.to_owned() + &"x".repeat(500_000)).as_bytes())?;
                    // A proxy that reads both at once may take it for no response at all.
                    wait::for_the_clock(Instant::now() + Duration::from_millis(100));
                    return writer.shutdown(Shutdown::Both);
                }
            }
        }
        Ok(())
    }
}

/// The number behind the first part of a target's path.
fn argument(target: &str, name: &str) -> Option<u16> {
    let path = target.split('?').next().unwrap_or_default();
    path.strip_prefix(name)?.parse().ok()
}

fn answer(to: &mut impl Write, target: &str, to_head: bool, gift: Gift) -> io::Result<()> {
    if let Some(millis) = argument(target, "/slow/") {
        wait::for_the_clock(Instant::now() + Duration::from_millis(millis.into()));
    }
    let status = argument(target, "/status/").unwrap_or(200);
    let Gift { fields, body } = gift;
    let body = body.unwrap_or_else(|| match target {
        "/mega" => "x".repeat(1 << 20),
        _ => format!("origin: {target}\n"),
    });
    let cost = target
        .strip_prefix("/cost/")
        .map_or(String::new(), |cost| format!("X-Origin-Cost: {cost}\r\n"));
    let head = format!(
        "HTTP/1.1 {status} Origin\r\nContent-Length: {}\r\nX-Origin: yes\r\n{cost}{fields}\r\n",
        body.len()
    );
    to.write_all((if to_head { head } else { head + &body }).as_bytes())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only whole values are pushed under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
