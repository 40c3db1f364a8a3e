//! A client: requests on one connection each, on one that is kept, or bytes that are no request at all.

use std::{
    io::{self, BufReader, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::{http::Response, wait::PATIENCE};

/// Somebody who talks to one server.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    server: SocketAddr,
    from: Option<IpAddr>,
    patience: Duration,
}

/// One request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    host: String,
    fields: Vec<(String, String)>,
    body: String,
}

/// A connection that is kept.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Client {
    pub fn of(server: SocketAddr) -> Self {
        Self {
            server,
            from: None,
            patience: PATIENCE,
        }
    }

    /// The same client at another source address.
    #[must_use]
    pub fn from(self, address: impl Into<IpAddr>) -> Self {
        Self {
            from: Some(address.into()),
            ..self
        }
    }

    /// The same client, waiting no longer than this for a connection or an answer.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// # Errors
    /// When the server refuses, or does not answer in time.
    pub fn connect(&self) -> io::Result<Connection> {
        let socket = Socket::new(Domain::for_address(self.server), Type::STREAM, None)?;
        if let Some(from) = self.from {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        socket.connect_timeout(&self.server.into(), self.patience)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// Sends one request on a connection of its own.
    ///
    /// # Errors
    /// When there is no connection, or no whole response in time.
    pub fn try_send(&self, request: &Request) -> io::Result<Response> {
        self.connect()?.send(request)
    }

    /// Sends one request on a connection of its own. No response fails the test.
    pub fn send(&self, request: &Request) -> Response {
        self.try_send(request)
            .unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    /// Gets a path. No response fails the test.
    pub fn get(&self, target: &str) -> Response {
        self.send(&Request::get(target))
    }

    /// Sends bytes as they are, and gives back all that comes before the server closes.
    ///
    /// # Errors
    /// When there is no connection, or the server neither answers nor closes in time.
    pub fn exchange(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut connection = self.connect()?;
        // A server that has seen enough closes while the rest is still being written.
        let _ = connection.write(bytes);
        connection.read_to_end()
    }
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            host: "localhost".into(),
            fields: Vec::new(),
            body: String::new(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.into();
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            self.method, self.target, self.host
        );
        if !self.body.is_empty() {
            text.push_str(&field("Content-Length", &self.body.len().to_string()));
        }
        text.extend(self.fields.iter().map(|(name, value)| field(name, value)));
        (text + "\r\n" + &self.body).into_bytes()
    }
}

fn field(name: &str, value: &str) -> String {
    format!("{name}: {value}\r\n")
}

impl Connection {
    /// Sends one request and reads its response.
    ///
    /// # Errors
    /// When the connection is closed, or there is no whole response in time.
    pub fn send(&mut self, request: &Request) -> io::Result<Response> {
        self.write(&request.bytes())?;
        self.read(request.method == "HEAD")
    }

    /// # Errors
    /// As [`Connection::send`].
    pub fn get(&mut self, target: &str) -> io::Result<Response> {
        self.send(&Request::get(target))
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the connection is closed, or full for too long.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    fn read(&mut self, to_head: bool) -> io::Result<Response> {
        Response::read(&mut self.0, to_head)
    }

    /// Reads the next response.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn response(&mut self) -> io::Result<Response> {
        self.read(false)
    }

    /// Sends no more; what the server sends is still read.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn end_sending(&mut self) -> io::Result<()> {
        self.0.get_ref().shutdown(Shutdown::Write)
    }

    /// Reads until the server closes, in order or with a reset.
    ///
    /// # Errors
    /// When the server does not close in time.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        match self.0.read_to_end(&mut all) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(all),
        }
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish(&self) -> io::Result<()> {
        self.0.get_ref().shutdown(Shutdown::Write)
    }
}
