//! The control socket as somebody uses it who has no `floodwall` command: lines of JSON, or bytes that are none.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::Path,
};

use serde_json::{Value, json};

use crate::{Floodwall, wait::PATIENCE};

/// One connection to the control socket.
#[derive(Debug)]
pub struct Control(BufReader<UnixStream>);

impl Control {
    /// A connection to the socket of a service. None fails the test.
    pub fn of(floodwall: &Floodwall<'_>) -> Self {
        Self::at(&floodwall.socket()).expect("the control socket takes callers")
    }

    /// # Errors
    /// When nobody answers there.
    pub fn at(socket: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE * 2))?;
        stream.set_write_timeout(Some(PATIENCE * 2))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks one question, and gives back the body of the answer. No answer fails the test.
    pub fn ask(&mut self, question: &Value) -> Value {
        let line = json!({ "version": 1, "body": question });
        self.write(format!("{line}\n").as_bytes())
            .expect("the service reads");
        let answer = self.line().expect("an answer");
        let answer: Value = serde_json::from_str(&answer).expect("one JSON document");
        answer["body"].clone()
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the service has closed, or does not read in time.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Reads one line; empty when the service has closed.
    ///
    /// # Errors
    /// When it says nothing in time.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).map(|_| line)
    }

    /// Says that nothing more will be written, and reads everything until the service closes.
    ///
    /// # Errors
    /// When it does not close in time.
    pub fn finish(mut self) -> io::Result<String> {
        // It may have closed already.
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
        let mut all = String::new();
        match self.0.read_to_string(&mut all) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(all),
        }
    }
}
