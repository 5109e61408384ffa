//! guacd of Apache Guacamole as the gateway that is measured, by its own protocol over TCP: what its web application passes on to browsers.
//!
//! An instruction is `LENGTH.VALUE,LENGTH.VALUE;` with lengths in characters. A frame ends with `sync`, which is answered as a browser that is
//! done with it does; nothing is drawn here.

use crate::serve::Server;
use anyhow::{Context as _, Result, bail, ensure};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest instruction, in bytes: guacd's own are shorter than 8 KiB.
const INSTRUCTION_BYTES_MAX: usize = 1 << 20;
const VERSION: &str = "VERSION_1_5_0";
const WIDTH: u16 = 1280;
const HEIGHT: u16 = 800;

pub(crate) struct Guacd {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Bytes that were read.
    pub bytes: usize,
    /// Something was painted since the last frame.
    painted: bool,
    /// Images of the screen so far, by their type: PNG, JPEG, WebP.
    pub images: [u32; 3],
}

/// The first instruction of some bytes, and how many bytes it has; nothing where it is not whole.
fn instruction(bytes: &[u8]) -> Result<Option<(Vec<String>, usize)>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(dot) = rest.iter().position(|byte| *byte == b'.') else {
            ensure!(rest.len() <= 10 && rest.iter().all(u8::is_ascii_digit), "guacd sent no instruction");
            return Ok(None);
        };
        let length = rest.get(..dot).and_then(|digits| std::str::from_utf8(digits).ok());
        let length: usize =
            length.and_then(|digits| digits.parse().ok()).context("guacd sent a word without a length")?;
        ensure!(length <= INSTRUCTION_BYTES_MAX, "guacd sent a word of {length} characters");
        let value = rest.get(dot + 1..).unwrap_or_default();
        // A character begins with each byte that goes on with none before it.
        let mut begins = value.iter().enumerate().filter(|(_, byte)| **byte & 0xc0 != 0x80).map(|(at, _)| at);
        let Some(end) = begins.nth(length) else { return Ok(None) };
        let word = value.get(..end).and_then(|word| std::str::from_utf8(word).ok()).context("guacd sent no UTF-8")?;
        words.push(word.to_owned());
        at += dot + 1 + end + 1;
        match value.get(end) {
            Some(b',') => {}
            Some(b';') => return Ok(Some((words, at))),
            _ => bail!("guacd sent an instruction that goes on with neither a comma nor a semicolon"),
        }
    }
}

fn written(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{}.{word}", word.chars().count())).collect();
    format!("{};", words.join(","))
}

/// What guacd asks for by name, of a server that was started here.
fn argument(server: &Server, name: &str) -> Result<String> {
    let address = server.address();
    Ok(match (name, server) {
        (version, _) if version.starts_with("VERSION_") => VERSION.to_owned(),
        ("hostname", _) => address.ip().to_string(),
        ("port", _) => address.port().to_string(),
        ("username", Server::Ssh { .. }) => crate::sshd::user()?,
        ("username", Server::Rdp { .. }) => "bench".to_owned(),
        ("ignore-cert", Server::Rdp { .. }) => "true".to_owned(),
        ("private-key", Server::Ssh { folder: Some(folder), .. }) => std::fs::read_to_string(folder.join("user"))?,
        ("command", Server::Ssh { command, .. }) => command.clone(),
        _ => String::new(),
    })
}

impl Guacd {
    pub async fn connect(guacd: SocketAddr, server: &Server) -> Result<Self> {
        let stream = TcpStream::connect(guacd).await.with_context(|| format!("guacd does not answer at {guacd}"))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, unread: Vec::new(), bytes: 0, painted: false, images: [0; 3] };
        let protocol = match server {
            Server::Vnc { .. } => "vnc",
            Server::Rdp { .. } => "rdp",
            Server::Ssh { .. } => "ssh",
            Server::Device { .. } => anyhow::bail!("guacd shows no machines behind devices"),
        };
        client.say(&["select", protocol]).await?;
        let asked = client.expect("args").await?;
        client.say(&["size", &WIDTH.to_string(), &HEIGHT.to_string(), "96"]).await?;
        client.say(&["audio"]).await?;
        client.say(&["video"]).await?;
        client.say(&["image", "image/png", "image/jpeg", "image/webp"]).await?;
        let given = asked.iter().skip(1).map(|name| argument(server, name)).collect::<Result<Vec<_>>>()?;
        let words: Vec<&str> = std::iter::once("connect").chain(given.iter().map(String::as_str)).collect();
        client.say(&words).await?;
        client.expect("ready").await?;
        Ok(client)
    }

    async fn say(&mut self, words: &[&str]) -> Result<()> {
        Ok(self.stream.write_all(written(words).as_bytes()).await?)
    }

    async fn expect(&mut self, wanted: &str) -> Result<Vec<String>> {
        let words = self.next().await?;
        ensure!(words.first().is_some_and(|first| first == wanted), "guacd said {words:?} in the place of {wanted:?}");
        Ok(words)
    }

    /// May be dropped half-way: what was read stays.
    async fn next(&mut self) -> Result<Vec<String>> {
        loop {
            if let Some((words, length)) = instruction(&self.unread)? {
                self.unread.drain(..length);
                return Ok(words);
            }
            ensure!(self.unread.len() <= INSTRUCTION_BYTES_MAX, "guacd sent an instruction without an end");
            let count = self.stream.read_buf(&mut self.unread).await?;
            ensure!(count > 0, "guacd closed the connection");
            self.bytes += count;
        }
    }

    /// Reads one instruction; true when a frame ends that painted something.
    pub async fn read(&mut self) -> Result<bool> {
        let words = self.next().await?;
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        // Layers below zero are buffers that nobody sees: pointers are made there.
        let seen = |at: usize| !word(at).starts_with('-');
        match word(0) {
            "img" if seen(3) => {
                self.painted = true;
                let kind = ["image/png", "image/jpeg", "image/webp"].iter().position(|kind| *kind == word(4));
                if let Some(count) = kind.and_then(|kind| self.images.get_mut(kind)) {
                    *count += 1;
                }
            }
            "copy" | "transfer" => self.painted |= seen(7),
            "cfill" => self.painted |= seen(2),
            "sync" => {
                let time = word(1).to_owned();
                self.say(&["sync", &time]).await?;
                return Ok(std::mem::take(&mut self.painted));
            }
            "error" => bail!("guacd ended the connection: {} ({})", word(1), word(2)),
            "disconnect" => bail!("guacd ended the connection"),
            _ => {}
        }
        Ok(false)
    }

    pub async fn key(&mut self, keysym: u32, down: bool) -> Result<()> {
        self.say(&["key", &keysym.to_string(), if down { "1" } else { "0" }]).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn instructions_are_read_in_characters_and_in_pieces() {
        let said = written(&["img", "3", "Ünïcode, with. all;", ""]);
        assert_eq!(said, "3.img,1.3,19.Ünïcode, with. all;,0.;");
        let bytes = said.as_bytes();
        for cut in 0..bytes.len() {
            assert!(instruction(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        let (words, length) = instruction(bytes).unwrap().unwrap();
        assert_eq!((words.len(), words[2].as_str(), length), (4, "Ünïcode, with. all;", bytes.len()));
        for wrong in ["x.a;", "1.ab", "99999999999", "HTTP/1.1 200", ".;", "9999999999.;"] {
            assert!(instruction(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    /// What a guacd says, and what it is answered.
    #[tokio::test]
    async fn a_frame_ends_with_its_sync_and_buffers_are_not_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let guacd = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut said = Vec::new();
            let mut rest = Vec::new();
            let told = [
                written(&["args", "VERSION_1_5_0", "hostname", "port", "password"]),
                [
                    written(&["ready", "$id"]),
                    written(&["img", "1", "14", "-1", "image/png", "0", "0"]),
                    written(&["sync", "100"]),
                    written(&["img", "2", "14", "0", "image/jpeg", "0", "0"]),
                    written(&["blob", "2", "AAAA"]),
                    written(&["end", "2"]),
                    written(&["sync", "200", "1"]),
                ]
                .concat(),
            ];
            for (last, answer) in [("select", &told[0]), ("connect", &told[1])] {
                loop {
                    if let Some((words, length)) = instruction(&rest).unwrap() {
                        rest.drain(..length);
                        said.push(words.join(" "));
                        if words[0] == last {
                            break;
                        }
                    } else {
                        stream.read_buf(&mut rest).await.unwrap();
                    }
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            while !rest.ends_with(b"3.200;") {
                stream.read_buf(&mut rest).await.unwrap();
            }
            said
        });
        let server = Server::Vnc { address: SocketAddr::from(([127, 0, 0, 1], 5990)), own: true };
        let mut client = Guacd::connect(at, &server).await.unwrap();
        assert!(!client.read().await.unwrap() && !client.read().await.unwrap(), "a pointer in a buffer is no picture");
        let mut reads = 0;
        while !client.read().await.unwrap() {
            reads += 1;
        }
        assert_eq!((reads, client.images), (3, [0, 1, 0]));
        let said = guacd.await.unwrap();
        assert_eq!(said[0], "select vnc");
        assert_eq!(said.last().unwrap(), "connect VERSION_1_5_0 127.0.0.1 5990 ");
    }
}
