//! An HTTP server of a few lines that answers what it is told to, right or wrong, and remembers what it was asked.

#![allow(dead_code, reason = "each test uses some of it")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Without its query.
    pub path: String,
    pub query: String,
    pub headers: String,
    pub body: String,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub late: Duration,
    /// Hangs up in the middle of the body.
    pub cut: bool,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), late: Duration::ZERO, cut: false }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `answer` gets what is asked and how many requests came before it.
    pub async fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                tokio::spawn(async move { serve(stream, log, move |asked, n| answer(asked, n)).await });
            }
        });
        Self { url, asked }
    }

    pub fn count(&self, method: &str, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|one| one.method == method && one.path == path).count()
    }
}

async fn serve(
    mut stream: TcpStream,
    log: Arc<Mutex<Vec<Asked>>>,
    answer: impl Fn(&Asked, usize) -> Reply + Send,
) -> Option<()> {
    {
        let mut text = Vec::new();
        let head = loop {
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
            text.extend_from_slice(&piece[..count]);
            if let Some(at) = text.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
        };
        let headers = String::from_utf8_lossy(&text[..head]).into_owned();
        let length: usize = headers
            .lines()
            .find_map(|line| {
                line.to_lowercase().strip_prefix("content-length:").map(|rest| rest.trim().parse().unwrap())
            })
            .unwrap_or(0);
        while text.len() < head + 4 + length {
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
            text.extend_from_slice(&piece[..count]);
        }
        let mut words = headers.lines().next()?.split_whitespace();
        let method = words.next()?.to_owned();
        let target = words.next()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asked = Asked {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.clone(),
            body: String::from_utf8_lossy(&text[head + 4..]).into_owned(),
        };
        let before = {
            let mut log = log.lock().unwrap();
            log.push(asked.clone());
            log.len() - 1
        };
        let reply = answer(&asked, before);
        tokio::time::sleep(reply.late).await;
        let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", reply.status);
        for (name, value) in &reply.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if reply.status != 204 {
            write!(head, "Content-Length: {}\r\n", reply.body.len() + usize::from(reply.cut)).unwrap();
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(reply.body.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()
    }
}

/// A cloud whose Keystone is below `url`.
pub fn cloud(url: &str) -> oriel_openstack::Cloud {
    let text = format!(
        "clouds:\n  fake:\n    auth:\n      auth_url: {url}/identity/v3\n      username: ada\n      password: s3cret\n      project_name: desktops\n"
    );
    oriel_openstack::Clouds::read(&text).unwrap().pick(None).unwrap()
}
