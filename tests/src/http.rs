//! As much HTTP/1.1 as the two ends of a test need, read byte by byte so that nothing is forgiven.

use std::io::{self, BufRead, Read};

/// The first line and the fields of a message.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) first_line: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// A response as a client got it.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    fields: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// The value of a field; none when it is absent. A field that came twice fails the test.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = values(&self.fields, name);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} came more than once");
        value
    }

    /// Whether the server closes the connection after this.
    pub fn closes(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Reads one response.
    ///
    /// # Errors
    /// When the connection ends or stays silent before the response is whole.
    pub(crate) fn read(from: &mut impl BufRead, to_head: bool) -> io::Result<Self> {
        let head = Head::read(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head
            .first_line
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| malformed(&head))?;
        let body = if to_head || matches!(status, 100..=199 | 204 | 304) {
            Vec::new()
        } else {
            read_body(from, &head)?
        };
        Ok(Self {
            status,
            fields: head.fields,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

impl Head {
    /// Reads a head; none when the connection ends before its first byte.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first_line) = line(from)? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        loop {
            let line = line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Some(Self { first_line, fields }));
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        values(&self.fields, name).next()
    }
}

fn values<'a>(fields: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    fields
        .iter()
        .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Reads the body that a head announces; without an announcement a response lasts until the connection ends.
pub(crate) fn read_body(from: &mut impl BufRead, head: &Head) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = head.header("content-length") {
        let length = length.parse().map_err(|_| malformed(head))?;
        if from.take(length).read_to_end(&mut body)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    } else if head.header("transfer-encoding").is_some() {
        while let Some(chunk) = read_chunk(from)? {
            body.extend(chunk);
        }
    } else if head.first_line.starts_with("HTTP/") {
        from.read_to_end(&mut body)?;
    }
    Ok(body)
}

fn read_chunk(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let size = line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let size = u64::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut chunk = Vec::new();
    from.take(size).read_to_end(&mut chunk)?;
    match line(from)? {
        Some(end) if end.is_empty() => Ok((size > 0).then_some(chunk)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads a line without its end; none at the end of the connection.
fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    from.read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = bytes
        .strip_suffix(b"\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
}

fn malformed(head: &Head) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a malformed head: {head:?}"),
    )
}
