//! One HTTP/1.1 request as it comes from a client.

use std::io::Read as _;
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use serde_json::Value as Json;

/// More than any object has.
const LARGEST: usize = 8 << 20;

/// A request that was read whole.
pub(crate) struct Request {
    /// `GET`, `POST` and so on.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// Reads one; `None` when the client has nothing to ask.
    pub(super) fn read(mut client: &TcpStream) -> Result<Option<Request>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = find(&bytes, b"\r\n\r\n") {
                break end + 4;
            }
            if more(client, &mut bytes)? == 0 {
                return Ok(None);
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).context("a head that is no text")?;
        let mut words = head.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or("/").to_owned());
        match (
            header(&head, "content-length").and_then(|text| text.parse::<usize>().ok()),
            header(&head, "transfer-encoding"),
        ) {
            (Some(length), _) => {
                let mut rest = vec![0; length.saturating_sub(body.len())];
                client.read_exact(&mut rest)?;
                body.extend(rest);
            }
            (None, Some(_)) => {
                while !body.ends_with(b"0\r\n\r\n") {
                    if more(client, &mut body)? == 0 {
                        bail!("a body that breaks off");
                    }
                }
            }
            (None, None) => {}
        }
        Ok(Some(Request { method, path, head, body }))
    }

    /// The request as the server shall see it: on a connection of its own.
    pub(super) fn onward(&self) -> Vec<u8> {
        if self.is_upgrade() {
            return [self.head.as_bytes(), &self.body].concat();
        }
        let kept =
            self.head.trim_end().split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
        let mut head = kept.collect::<Vec<_>>().join("\r\n");
        head.push_str("\r\nConnection: close\r\n\r\n");
        [head.as_bytes(), &self.body].concat()
    }

    /// Whether the connection becomes a stream of something else.
    pub(super) fn is_upgrade(&self) -> bool {
        header(&self.head, "upgrade").is_some()
    }

    /// Whether Helm makes it.
    pub(crate) fn is_helms(&self) -> bool {
        header(&self.head, "user-agent").is_some_and(|agent| agent.to_ascii_lowercase().contains("helm"))
    }

    /// Whether the body holds a text.
    pub(crate) fn says(&self, text: &str) -> bool {
        find(&self.body, text.as_bytes()).is_some()
    }

    /// The name of the object in the body.
    pub(crate) fn name(&self) -> Option<String> {
        let object: Json = serde_json::from_slice(&self.body).ok()?;
        object["metadata"]["name"].as_str().map(str::to_owned)
    }

    /// `POST /path name`.
    pub(super) fn line(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        let name = if self.method == "POST" { self.name() } else { None };
        format!("{} {path} {}", self.method, name.unwrap_or_default())
    }

    /// The journal that it writes.
    pub(super) fn journal(&self) -> Option<Json> {
        if self.method == "GET" || !self.says("ffe-journal.") {
            return None;
        }
        let object: Json = serde_json::from_slice(&self.body).ok()?;
        let text = object["data"]["journal"].as_str()?;
        serde_json::from_slice(&base64::engine::general_purpose::STANDARD.decode(text).ok()?).ok()
    }
}

fn more(mut client: &TcpStream, bytes: &mut Vec<u8>) -> Result<usize> {
    let mut buffer = [0; 16 * 1024];
    let count = client.read(&mut buffer)?;
    bytes.extend(&buffer[..count]);
    if bytes.len() > LARGEST {
        bail!("a request that is too large");
    }
    Ok(count)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
