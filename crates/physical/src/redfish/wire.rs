//! The conversation with a BMC: one connection at a time, signed in, with bounds.

use super::told::{hidden_refusal, is_full, refusal};
use super::{ANSWER_BYTES_MAX, QUESTIONS_MAX, TOTAL_BYTES_MAX, board::Seen};
use crate::DeviceError;
use crate::client::meet;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION,
    RETRY_AFTER,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use oriel_pin::{HostPin, Keeper};
use oriel_stream::Way;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// Where every service begins (DSP0266, "Service root").
pub(super) const ROOT: &str = "/redfish/v1/";
/// Where sessions are begun when the root does not say it.
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
/// BMCs are slow: some take seconds for each answer.
const ANSWER_SECONDS: u64 = 15;
/// Longest wait that a BMC asks for and gets, in seconds; it is busy otherwise.
const WAIT_SECONDS_MAX: u64 = 4;
/// Where it asks for none, or says zero.
const WAIT_LEAST: Duration = Duration::from_millis(200);
/// How often a question is asked again that a BMC was too busy for.
const AGAIN_MAX: u32 = 2;
const REDIRECTS_MAX: u32 = 3;
/// Longest path that is asked, token that is kept and tag that is sent back, in bytes.
const PATH_BYTES_MAX: usize = 512;
const TOKEN_BYTES_MAX: usize = 4096;
const TAG_BYTES_MAX: usize = 256;
/// Answers that are kept for their tags: so many, each of so many bytes.
const KEPT_MAX: usize = 32;
const KEPT_BYTES_MAX: usize = 64 << 10;

static AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
static ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");

/// How to talk to a BMC.
#[derive(Clone, Debug)]
pub struct RedfishOptions {
    /// What it is called in requests: a name or an address, with its port where that is not 443.
    pub host: String,
    pub user: String,
    pub password: SecretString,
    /// Which of its systems, by id or name, where it has several.
    pub system: Option<String>,
    /// Which certificate it must have.
    pub pin: HostPin,
    /// Told which certificate it has where nothing is pinned.
    pub keeper: Option<Arc<dyn Keeper>>,
}

/// How somebody is signed in.
#[derive(Clone, Debug)]
enum How {
    Token(SecretString),
    /// It has no sessions, or none left.
    Basic,
}

#[derive(Clone, Debug)]
struct Pass {
    /// Counts up with each sign-in, so that a refused pass is thrown away once.
    turn: u32,
    how: How,
}

/// One session on a BMC for all who ask it: BMCs have few, and forget them after half an hour or so.
#[derive(Debug, Default)]
pub struct Login(Mutex<Option<Pass>>);

/// What changes with a request.
#[derive(Clone, Copy, Default)]
struct Asked<'a> {
    pass: Option<&'a How>,
    body: Option<&'a Bytes>,
    unless: Option<&'a str>,
    only_if: Option<&'a str>,
}

pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Debug)]
struct Kept {
    tag: String,
    value: Arc<Value>,
}

/// A BMC, asked by one task at a time.
pub struct Redfish {
    way: Arc<dyn Way>,
    pub(super) options: RedfishOptions,
    login: Arc<Login>,
    sender: Option<SendRequest<Full<Bytes>>>,
    kept: HashMap<String, Kept>,
    questions: u32,
    bytes: usize,
    pub(super) seen: Seen,
}

fn lost(error: impl std::fmt::Display) -> DeviceError {
    DeviceError::Lost(error.to_string())
}

/// Whether something that a BMC named is a path of its own service: nothing else is asked, since we are signed in.
pub(super) fn is_path(path: &str) -> bool {
    path.starts_with("/redfish/")
        && path.len() <= PATH_BYTES_MAX
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\' | b'"' | b'<' | b'>'))
        && !path.split('/').any(|part| part == "..")
}

/// A tag that may be sent back.
fn tag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    (1..=TAG_BYTES_MAX).contains(&tag.len()).then(|| tag.to_owned())
}

async fn read(response: Response<Incoming>) -> Result<Reply, DeviceError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            DeviceError::Protocol(format!("an answer is longer than the {ANSWER_BYTES_MAX} bytes that are taken"))
        } else {
            lost(error)
        }
    })?;
    Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
}

fn parsed(body: &[u8]) -> Result<Value, DeviceError> {
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(DeviceError::Protocol("an answer is no object".to_owned())),
        Err(error) => Err(DeviceError::Protocol(error.to_string())),
    }
}

/// Seconds; a date is not understood, and then nothing was asked for.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

impl Redfish {
    /// Nothing is sent yet.
    pub fn new(way: Arc<dyn Way>, options: RedfishOptions, login: Arc<Login>) -> Self {
        Self { way, options, login, sender: None, kept: HashMap::new(), questions: 0, bytes: 0, seen: Seen::default() }
    }

    /// The bounds of a command begin anew.
    pub(super) fn refill(&mut self) {
        (self.questions, self.bytes) = (0, 0);
    }

    /// A connection that is open.
    async fn connected(&mut self) -> Result<(), DeviceError> {
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_ok()
        {
            return Ok(());
        }
        self.sender = None;
        let stream = self.way.open().await.map_err(DeviceError::Unreachable)?;
        let opening = async {
            let (stream, seen) = meet(stream, self.options.pin, self.options.keeper.as_deref()).await?;
            let (sender, connection) = handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.map_err(lost)?;
            Ok::<_, DeviceError>((sender, connection, seen))
        };
        let late = Duration::from_secs(ANSWER_SECONDS);
        let (sender, connection, seen) =
            timeout(late, opening).await.map_err(|_| DeviceError::TimedOut(ANSWER_SECONDS))??;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "A connection to a BMC ended");
            }
        });
        // The next connection leads to the same one.
        self.options.pin = HostPin::Sha256(seen.0);
        self.sender = Some(sender);
        Ok(())
    }

    fn request(&self, method: &Method, path: &str, asked: Asked<'_>) -> Result<Request<Full<Bytes>>, DeviceError> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(HOST, &self.options.host)
            .header(ACCEPT, "application/json")
            .header(&ODATA_VERSION, "4.0");
        match asked.pass {
            Some(How::Token(token)) => request = request.header(&AUTH_TOKEN, token.expose_secret()),
            Some(How::Basic) => {
                let pair = format!("{}:{}", self.options.user, self.options.password.expose_secret());
                request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
            }
            None => {}
        }
        if let Some(tag) = asked.unless {
            request = request.header(IF_NONE_MATCH, tag);
        }
        if let Some(tag) = asked.only_if {
            request = request.header(IF_MATCH, tag);
        }
        if asked.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(asked.body.cloned().unwrap_or_default());
        request.body(body).map_err(|error| DeviceError::Protocol(error.to_string()))
    }

    async fn once(&mut self, method: &Method, path: &str, asked: Asked<'_>) -> Result<Reply, DeviceError> {
        self.questions += 1;
        if self.questions > QUESTIONS_MAX {
            return Err(DeviceError::Protocol(format!(
                "it has more than the {QUESTIONS_MAX} parts that are asked for"
            )));
        }
        self.connected().await?;
        let request = self.request(method, path, asked)?;
        let Some(sender) = &mut self.sender else { return Err(lost("it hung up")) };
        let answering = async {
            let response = sender.send_request(request).await.map_err(lost)?;
            read(response).await
        };
        let answered = timeout(Duration::from_secs(ANSWER_SECONDS), answering).await;
        let reply = match answered {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => {
                self.sender = None;
                return Err(error);
            }
            Err(_) => {
                self.sender = None;
                return Err(DeviceError::TimedOut(ANSWER_SECONDS));
            }
        };
        self.bytes = self.bytes.saturating_add(reply.body.len());
        if self.bytes > TOTAL_BYTES_MAX {
            return Err(DeviceError::Protocol(format!(
                "it sends more than the {TOTAL_BYTES_MAX} bytes that are taken"
            )));
        }
        Ok(reply)
    }

    /// One question and its answer, whatever it is. What a BMC is too busy for is asked again, a little later.
    async fn exchange(&mut self, method: &Method, path: &str, asked: Asked<'_>) -> Result<Reply, DeviceError> {
        let mut tries = 0;
        loop {
            let was_open = self.sender.is_some();
            let reply = match self.once(method, path, asked).await {
                // It hung up on a connection that was old: nothing was done by a question.
                Err(DeviceError::Lost(_)) if was_open && *method == Method::GET => {
                    self.once(method, path, asked).await?
                }
                answered => answered?,
            };
            let is_busy = matches!(reply.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
            // Without a word of when, it may be down for long: once more is enough.
            let wait = retry_after(&reply.headers);
            let patience = if wait.is_some() { AGAIN_MAX } else { 1 };
            if !is_busy || tries >= patience || wait.is_some_and(|seconds| seconds > WAIT_SECONDS_MAX) {
                return Ok(reply);
            }
            tries += 1;
            sleep(wait.map_or(WAIT_LEAST, Duration::from_secs).max(WAIT_LEAST)).await;
        }
    }

    /// The service's root, which anybody may read.
    pub(super) async fn root(&mut self) -> Result<Arc<Value>, DeviceError> {
        if self.seen.root.is_object() {
            return Ok(Arc::clone(&self.seen.root));
        }
        let mut path = ROOT.to_owned();
        for _ in 0..=REDIRECTS_MAX {
            let reply = self.exchange(&Method::GET, &path, Asked::default()).await?;
            if reply.status.is_redirection() {
                path = self.target(&reply.headers)?;
                continue;
            }
            let root = Arc::new(match reply.status {
                StatusCode::OK => parsed(&reply.body)?,
                // Against the standard, and not in the way: the usual paths are tried.
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => json!({}),
                status => return Err(refusal(&path, status, retry_after(&reply.headers), &reply.body)),
            });
            self.seen.root = Arc::clone(&root);
            return Ok(root);
        }
        Err(DeviceError::Protocol(format!("more than {REDIRECTS_MAX} redirects in a row")))
    }

    /// Where a redirect leads: to the same service, or nowhere.
    fn target(&self, headers: &HeaderMap) -> Result<String, DeviceError> {
        let place = headers.get(LOCATION).and_then(|place| place.to_str().ok()).unwrap_or_default();
        let path = match place.strip_prefix("https://") {
            Some(rest) => rest.strip_prefix(self.options.host.as_str()).unwrap_or_default(),
            None => place,
        };
        if is_path(path) { Ok(path.to_owned()) } else { Err(DeviceError::Protocol("it leads elsewhere".to_owned())) }
    }

    async fn sign_in(&mut self) -> Result<How, DeviceError> {
        let root = self.root().await?;
        let said = root.pointer("/Links/Sessions/@odata.id").and_then(Value::as_str).filter(|path| is_path(path));
        let sessions = said.unwrap_or(SESSIONS);
        let body = json!({"UserName": self.options.user, "Password": self.options.password.expose_secret()});
        let body = Bytes::from(body.to_string());
        let asked = Asked { body: Some(&body), ..Asked::default() };
        let reply = self.exchange(&Method::POST, sessions, asked).await?;
        if reply.status.is_success() {
            let token = reply.headers.get(&AUTH_TOKEN).and_then(|token| token.to_str().ok());
            let token = token.filter(|token| {
                (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
            });
            return Ok(token.map_or(How::Basic, |token| How::Token(SecretString::from(token))));
        }
        let refused = refusal(sessions, reply.status, retry_after(&reply.headers), &reply.body);
        match (reply.status, &refused) {
            // No sessions there, or as many as there may be: each request shows who it is from.
            (_, DeviceError::NotThere { .. }) => Ok(How::Basic),
            _ if is_full(&reply.body) => Ok(How::Basic),
            (StatusCode::FORBIDDEN, DeviceError::Refused { .. }) => Err(DeviceError::CredentialsRefused),
            _ => Err(refused),
        }
    }

    /// Who we are there. `refused`: what no longer holds.
    async fn pass(&mut self, refused: Option<&Pass>) -> Result<Pass, DeviceError> {
        let login = Arc::clone(&self.login);
        let mut kept = login.0.lock().await;
        // Another one may have signed in anew meanwhile.
        if let Some(pass) = kept.as_ref().filter(|pass| refused.is_none_or(|refused| refused.turn != pass.turn)) {
            return Ok(pass.clone());
        }
        let turn = kept.take().map_or(0, |pass| pass.turn.wrapping_add(1));
        let pass = Pass { turn, how: self.sign_in().await? };
        *kept = Some(pass.clone());
        Ok(pass)
    }

    /// A question of somebody who is signed in; a session that has run out is begun anew, once.
    async fn ask(&mut self, method: &Method, path: &str, asked: Asked<'_>) -> Result<Reply, DeviceError> {
        let pass = self.pass(None).await?;
        let reply = self.exchange(method, path, Asked { pass: Some(&pass.how), ..asked }).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        if matches!(pass.how, How::Basic) {
            self.forget(&pass).await;
            return Err(DeviceError::CredentialsRefused);
        }
        let again = self.pass(Some(&pass)).await?;
        let reply = self.exchange(method, path, Asked { pass: Some(&again.how), ..asked }).await?;
        if reply.status == StatusCode::UNAUTHORIZED {
            self.forget(&again).await;
            return Err(DeviceError::CredentialsRefused);
        }
        Ok(reply)
    }

    async fn forget(&mut self, pass: &Pass) {
        let mut kept = self.login.0.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.turn == pass.turn) {
            *kept = None;
        }
    }

    /// A resource. One that has a tag is sent again only when it has changed.
    pub(super) async fn get(&mut self, path: &str) -> Result<Arc<Value>, DeviceError> {
        if !is_path(path) {
            return Err(DeviceError::Protocol("it names a path that is none of its service".to_owned()));
        }
        let mut path = path.to_owned();
        for _ in 0..=REDIRECTS_MAX {
            let known = self.kept.get(&path).map(|kept| (kept.tag.clone(), Arc::clone(&kept.value)));
            let unless = known.as_ref().map(|(tag, _)| tag.as_str());
            let reply = self.ask(&Method::GET, &path, Asked { unless, ..Asked::default() }).await?;
            match (reply.status, known) {
                (StatusCode::NOT_MODIFIED, Some((_, value))) => return Ok(value),
                (StatusCode::OK, _) => {
                    let value = Arc::new(parsed(&reply.body)?);
                    self.keep(path, &reply, &value);
                    return Ok(value);
                }
                (
                    StatusCode::MOVED_PERMANENTLY
                    | StatusCode::FOUND
                    | StatusCode::TEMPORARY_REDIRECT
                    | StatusCode::PERMANENT_REDIRECT,
                    _,
                ) => path = self.target(&reply.headers)?,
                (status, _) => return Err(refusal(&path, status, retry_after(&reply.headers), &reply.body)),
            }
        }
        Err(DeviceError::Protocol(format!("more than {REDIRECTS_MAX} redirects in a row")))
    }

    fn keep(&mut self, path: String, reply: &Reply, value: &Arc<Value>) {
        self.kept.remove(&path);
        let Some(tag) = tag(&reply.headers) else { return };
        if reply.body.len() <= KEPT_BYTES_MAX && self.kept.len() < KEPT_MAX {
            self.kept.insert(path, Kept { tag, value: Arc::clone(value) });
        }
    }

    /// Does something.
    async fn tell(
        &mut self,
        method: &Method,
        path: &str,
        body: &Value,
        only_if: Option<&str>,
    ) -> Result<Reply, DeviceError> {
        if !is_path(path) {
            return Err(DeviceError::Protocol("it names a path that is none of its service".to_owned()));
        }
        let body = Bytes::from(body.to_string());
        self.ask(method, path, Asked { body: Some(&body), only_if, ..Asked::default() }).await
    }

    fn done(path: &str, reply: &Reply) -> Result<(), DeviceError> {
        if !reply.status.is_success() {
            return Err(refusal(path, reply.status, retry_after(&reply.headers), &reply.body));
        }
        hidden_refusal(reply.status, &reply.body).map_or(Ok(()), Err)
    }

    /// An action. What takes longer is a task there, whose end shows in what it was done to.
    pub(super) async fn act(&mut self, path: &str, body: &Value) -> Result<(), DeviceError> {
        let reply = self.tell(&Method::POST, path, body, None).await?;
        Self::done(path, &reply)
    }

    /// Changes some properties, of the state that is known where it has a tag: some BMCs insist on that.
    pub(super) async fn change(&mut self, path: &str, body: &Value) -> Result<(), DeviceError> {
        let mut known = self.kept.get(path).map(|kept| kept.tag.clone());
        let mut reply = self.tell(&Method::PATCH, path, body, known.as_deref()).await?;
        match reply.status {
            // It changed meanwhile.
            StatusCode::PRECONDITION_FAILED => {
                self.kept.remove(path);
                self.get(path).await?;
                known = self.kept.get(path).map(|kept| kept.tag.clone());
                reply = self.tell(&Method::PATCH, path, body, known.as_deref()).await?;
                // It says weak tags and takes none back, as HTTP has it (RFC 9110, 13.1.1).
                let strong = known.as_deref().and_then(|tag| tag.strip_prefix("W/"));
                if reply.status == StatusCode::PRECONDITION_FAILED && strong.is_some() {
                    reply = self.tell(&Method::PATCH, path, body, strong).await?;
                }
            }
            // It wants a tag, and gave none.
            StatusCode::PRECONDITION_REQUIRED if known.is_none() => {
                reply = self.tell(&Method::PATCH, path, body, Some("*")).await?;
            }
            _ => {}
        }
        Self::done(path, &reply)
    }
}
