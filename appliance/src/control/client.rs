//! The other end of the control socket: how the command line asks.

mod unanswered;

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{fs::FileTypeExt, net::UnixStream},
    path::Path,
    time::Duration,
};

pub use unanswered::AskError;
use unanswered::Closed;

use super::protocol::{DecodeError, MAX_REPLY, Reply, Request, decode, encode};

/// How long one answer may take. A reload of 10,000 rules takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks one question and waits for the answer.
///
/// # Errors
/// [`AskError`] when nobody answers, or nobody that speaks this protocol.
pub fn ask(socket: &Path, request: &Request) -> Result<Reply, AskError> {
    match ask_once(socket, request)? {
        // A process that has handed over takes nobody in any more.
        Reply::HandedOver => ask_once(socket, request),
        reply => Ok(reply),
    }
}

fn ask_once(socket: &Path, request: &Request) -> Result<Reply, AskError> {
    let stream = UnixStream::connect(socket).map_err(|cause| no_connection(socket, cause))?;
    let line = exchange(stream, request).map_err(|cause| no_answer(socket, cause))?;
    decode(&line).map_err(|cause| AskError::Strange {
        socket: socket.to_owned(),
        cause,
    })
}

fn exchange(mut stream: UnixStream, request: &Request) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let written = stream.write_all(&encode(request));
    let mut line = Vec::new();
    BufReader::new(stream)
        .take(MAX_REPLY as u64)
        .read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        // Also from a service that has not read all of the question.
        return Ok(line);
    }
    written.and(Err(io::ErrorKind::UnexpectedEof.into()))
}

fn no_connection(path: &Path, cause: io::Error) -> AskError {
    let socket = path.to_owned();
    let is_socket = |path: &Path| {
        path.metadata()
            .is_ok_and(|meta| meta.file_type().is_socket())
    };
    match cause.kind() {
        io::ErrorKind::ConnectionRefused if !is_socket(path) => AskError::NotASocket(socket),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning(socket),
        io::ErrorKind::PermissionDenied => AskError::Forbidden(Closed::on_the_way_to(path)),
        _ => AskError::Broken { socket, cause },
    }
}

fn no_answer(socket: &Path, cause: io::Error) -> AskError {
    let socket = socket.to_owned();
    match cause.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Silent(socket),
        _ => AskError::Broken { socket, cause },
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, thread};

    use super::*;

    #[test]
    fn nobody_there_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("none.sock");
        let error = ask(&socket, &Request::Status).unwrap_err();
        assert!(
            error.to_string().contains("is floodwall running"),
            "{error}"
        );
        std::fs::write(&socket, "notes").unwrap();
        let error = ask(&socket, &Request::Status).unwrap_err();
        assert!(error.to_string().contains("is no socket"), "{error}");
        std::fs::remove_file(&socket).unwrap();
        drop(UnixListener::bind(&socket).unwrap());
        assert!(matches!(
            ask(&socket, &Request::Status),
            Err(AskError::NotRunning(_))
        ));
    }

    #[test]
    fn strangers_and_the_dead_are_told_apart() {
        for (answer, expected) in [
            (&b"HTTP/1.1 400\r\n\r\n"[..], "not a message"),
            (b"{\"version\":2,\"body\":{}}\n", "speaks version 2"),
            (
                b"{\"version\":2,\"body\":{}}\n",
                "systemctl restart floodwall",
            ),
            (b"", "unexpected end of file"),
            (b"{\"ver", "unexpected end of file"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let socket = folder.path().join("strange.sock");
            let listener = UnixListener::bind(&socket).unwrap();
            let stranger = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                stream.write_all(answer).unwrap();
            });
            let error = ask(&socket, &Request::Status).unwrap_err().to_string();
            stranger.join().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }
}
