//! What is asked of the API, told to the audit: every change and every refusal of somebody who is signed in, every sign-in, and
//! those readings that are deeds of their own.

use crate::{
    App, Peer,
    access::{self, Access},
    caller::{Caller, Via},
    openapi,
};
use axum::{
    extract::{MatchedPath, Query},
    http::{Method, Uri, request::Parts},
    response::Response,
};
use oriel_model::AuditDeed;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};
use utoipa::openapi::path::HttpMethod;

/// What is read on its own account: opened viewers, played recordings, downloaded files, machines that are asked who they are, and
/// devices that are asked what their machines do and show.
const READ_DEEDS: [&str; 10] = [
    "open_viewer",
    "recording_index",
    "recording_content",
    "download_file",
    "machine_identity",
    "show_device",
    "device_picture",
    "watch_device",
    "device_log",
    "personal_disk_content",
];
/// Sign-ins that end with browsers coming back from elsewhere, which they do by reading.
const SIGN_INS_BY_READING: [&str; 2] = ["finish_sign_in", "sign_in_by_proxy"];
/// What comes in many pieces that are one deed: said once, and again after a while.
const IN_PIECES: [&str; 10] = [
    "recording_index",
    "recording_content",
    "download_file",
    "upload_file",
    "show_device",
    "device_picture",
    "watch_device",
    "upload_device_image",
    "upload_desktop_drive_image",
    "personal_disk_content",
];
const PIECES_TIME: Duration = Duration::from_mins(10);
/// Deeds in pieces that are remembered.
const PIECES_MAX: usize = 1024;
/// Sign-ins that were refused and are told, in a minute: whoever guesses, guesses often.
const REFUSALS_PER_MINUTE_MAX: u32 = 120;

/// The outcome of what nobody waited for, or that took too long: nobody was told how it ended.
const CUT_OFF: u16 = 499;

/// The operations' ids, by method and path as the router writes it.
static ACTIONS: LazyLock<HashMap<(String, String), String>> = LazyLock::new(|| {
    let (_, mut api) = openapi::describe();
    let mut actions = HashMap::new();
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in openapi::operations(item) {
            let id = operation.operation_id.clone().unwrap_or_default();
            actions.insert((word(&method).to_owned(), path.clone()), id);
        }
    }
    actions
});

/// As a request names it.
const fn word(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Put => "PUT",
        HttpMethod::Post => "POST",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Options => "OPTIONS",
        HttpMethod::Head => "HEAD",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Trace => "TRACE",
    }
}

/// The name that somebody tried to sign in with, put beside the answer by whoever read it.
#[derive(Clone, Debug)]
pub(crate) struct TriedName(pub String);

/// A request, before it is answered.
pub(crate) struct Asked {
    action: String,
    target: String,
    address: String,
    /// Nobody is signed in yet: the handler says who tried.
    is_sign_in: bool,
    is_reading: bool,
}

impl Asked {
    pub fn of(parts: &Parts) -> Self {
        let path = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
        let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
        let action = ACTIONS.get(&(method.to_string(), path.clone())).cloned().unwrap_or_default();
        let address = match parts.extensions.get::<Peer>() {
            Some(Peer::Tcp { address, .. }) => address.ip().to_string(),
            Some(Peer::Local) | None => String::new(),
        };
        Self {
            is_sign_in: access::of_request(&parts.method, &path) == Some(Access::Public)
                && (!parts.method.is_safe() || SIGN_INS_BY_READING.contains(&action.as_str())),
            is_reading: parts.method.is_safe()
                && !READ_DEEDS.contains(&action.as_str())
                && !SIGN_INS_BY_READING.contains(&action.as_str()),
            target: target(parts.uri.path(), &path) + &file(&parts.uri, &path),
            action,
            address,
        }
    }

    /// Tells the audit, unless this is nothing to tell.
    async fn tell(self, app: &App, caller: Option<&Caller>, answered: Answered) {
        let Answered { outcome, tried, code, about } = answered;
        // Pages ask again and again; what was refused of it is told once, since it shows who tried.
        if self.is_reading && outcome != 403 {
            return;
        }
        let (actor, actor_name, via) = match (caller, tried) {
            (Some(caller), _) => (caller.account(), caller.user.name.clone(), via(caller)),
            (None, Some(name)) if self.is_sign_in => (None, name, "nobody".to_owned()),
            // Nobody who could be named.
            (None, _) => return,
        };
        if self.is_sign_in && outcome >= 400 && !may_tell_refusal(Instant::now()) {
            return;
        }
        if (self.is_reading || IN_PIECES.contains(&self.action.as_str()))
            && !is_first_piece(
                &format!("{actor_name}\n{via}\n{}\n{}\n{outcome}", self.action, self.target),
                Instant::now(),
            )
        {
            return;
        }
        let deed = AuditDeed {
            actor,
            actor_name,
            via,
            action: self.action,
            target: self.target + &about,
            address: self.address,
            outcome,
            code,
        };
        if let Err(error) = app.broker.audit(deed.clone()).await {
            tracing::error!(%error, ?deed, "The audit could not be written; this is what it would say");
        }
    }
}

/// Tells of a request, however it ends: whoever hangs up, or lets the time run out, before the answer is there may have done by then
/// what they wanted.
pub(crate) struct Telling {
    app: App,
    asked: Option<Asked>,
    caller: Option<Caller>,
    began: Instant,
}

impl Telling {
    pub fn of(app: &App, asked: Asked) -> Self {
        Self { app: Arc::clone(app), asked: Some(asked), caller: None, began: Instant::now() }
    }

    /// Who asked; nobody is told of who is not known.
    pub fn by(&mut self, caller: Option<Caller>) {
        self.caller = caller;
    }

    /// Whoever asked waits for it: what was not written down was not answered.
    pub async fn tell(mut self, answered: Answered) {
        if let Some(told) = self.begin(answered) {
            told.await.ok();
        }
    }

    /// In a task of its own, which goes on when the request is dropped.
    fn begin(&mut self, answered: Answered) -> Option<tokio::task::JoinHandle<()>> {
        let (app, asked, caller) = (Arc::clone(&self.app), self.asked.take()?, self.caller.take());
        app.metrics.answered(&asked.action, answered.outcome, self.began.elapsed());
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(runtime.spawn(async move { asked.tell(&app, caller.as_ref(), answered).await }))
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.begin(Answered { outcome: CUT_OFF, tried: None, code: "cut_off".to_owned(), about: String::new() });
    }
}

/// What the audit wants to know of an answer.
pub(crate) struct Answered {
    outcome: u16,
    tried: Option<String>,
    code: String,
    /// Goes behind the target.
    about: String,
}

impl Answered {
    pub fn of(response: &Response) -> Self {
        Self {
            outcome: response.extensions().get::<Outcome>().map_or(response.status().as_u16(), |outcome| outcome.0),
            tried: response.extensions().get::<TriedName>().map(|tried| tried.0.clone()),
            code: response.extensions().get::<RefusalCode>().map(|code| code.0.to_owned()).unwrap_or_default(),
            about: response.extensions().get::<About>().map(|about| format!(" {}", about.0)).unwrap_or_default(),
        }
    }
}

/// The image that was put into a drive, or the invitation that somebody knocked with, put beside the answer by whoever read the body.
#[derive(Clone, Debug)]
pub(crate) struct About(pub String);

/// How it ended, where the answer itself leads a browser back to our pages however it did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome(pub u16);

/// A refusal's code, beside the answer that says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusalCode(pub &'static str);

fn via(caller: &Caller) -> String {
    match &caller.via {
        Via::Browser(_) => "browser".to_owned(),
        Via::Program(token) => format!("token {}", token.label),
        Via::Local => "local".to_owned(),
    }
}

/// The path without what lets somebody in: tickets and invitations are secrets, and so is what stands behind the `?` of a webhook's address.
fn target(path: &str, matched: &str) -> String {
    let path = path.strip_prefix(access::BASE).unwrap_or(path);
    let matched = matched.strip_prefix(access::BASE).unwrap_or(matched);
    let parts = path.split('/').zip(matched.split('/').chain(std::iter::repeat("")));
    let is_of_webhook = matched.starts_with("/webhooks/");
    let told = parts.map(|(part, name)| match name {
        "{ticket}" | "{token}" => "…".to_owned(),
        "{id}" if is_of_webhook => without_query(part),
        _ => part.to_owned(),
    });
    told.collect::<Vec<_>>().join("/")
}

/// Of an address as it stands in a path.
fn without_query(part: &str) -> String {
    let at = part.to_ascii_lowercase().find("%3f");
    at.and_then(|at| part.get(..at)).map_or_else(|| part.to_owned(), |place| format!("{place}?…"))
}

/// Which file it is about, of a machine's files, or which image of a drive. One that stands in the body is said by [`About`].
fn file(uri: &Uri, matched: &str) -> String {
    let field = if matched.contains("/files") {
        "path"
    } else if ["/device/upload", "/device/images", "/drive/image"].iter().any(|end| matched.ends_with(end)) {
        "name"
    } else {
        return String::new();
    };
    let query = Query::<HashMap<String, String>>::try_from_uri(uri);
    query.ok().and_then(|Query(query)| query.get(field).map(|name| format!(" {name}"))).unwrap_or_default()
}

fn may_tell_refusal(now: Instant) -> bool {
    static MINUTE: Mutex<Option<(Instant, u32)>> = Mutex::new(None);
    let mut minute = MINUTE.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *minute {
        Some((began, told)) if now.duration_since(*began) < Duration::from_mins(1) => {
            *told += 1;
            if *told == REFUSALS_PER_MINUTE_MAX {
                tracing::warn!(
                    "Too many sign-ins are refused to tell the audit of each: the rest of this minute's stay out"
                );
            }
            *told < REFUSALS_PER_MINUTE_MAX
        }
        _ => {
            *minute = Some((now, 0));
            true
        }
    }
}

fn is_first_piece(deed: &str, now: Instant) -> bool {
    static TOLD: LazyLock<Mutex<HashMap<String, Instant>>> = LazyLock::new(Mutex::default);
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.get(deed).is_some_and(|at| now.duration_since(*at) < PIECES_TIME) {
        return false;
    }
    if told.len() >= PIECES_MAX {
        told.retain(|_, at| now.duration_since(*at) < PIECES_TIME);
    }
    // What does not fit is told each time rather than not at all.
    if told.len() < PIECES_MAX {
        told.insert(deed.to_owned(), now);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_targets() {
        assert_eq!(target("/api/v1/pools/studio", "/api/v1/pools/{id}"), "/pools/studio");
        assert_eq!(target("/api/v1/connect/geheim", "/api/v1/connect/{ticket}"), "/connect/…");
        assert_eq!(target("/api/v1/invites/geheim/connect", "/api/v1/invites/{token}/connect"), "/invites/…/connect");
        let address = "/api/v1/webhooks/https:%2F%2Flog.example%2Fhook%3Fkey=geheim";
        assert_eq!(target(address, "/api/v1/webhooks/{id}"), "/webhooks/https:%2F%2Flog.example%2Fhook?…");
        assert_eq!(target("/api/v1/webhooks/1/test", "/api/v1/webhooks/{id}/test"), "/webhooks/1/test");
    }

    #[test]
    fn targets_name_files_and_images() {
        let of = |uri: &str, matched: &str| file(&uri.parse().unwrap(), matched);
        assert_eq!(of("/api/v1/desktops/1/files?path=/a%20b", "/api/v1/desktops/{id}/files"), " /a b");
        assert_eq!(
            of("/api/v1/desktops/1/drive/image?name=a.iso&size=1", "/api/v1/desktops/{id}/drive/image"),
            " a.iso"
        );
        assert_eq!(of("/api/v1/machines/1/device/images?name=a.iso", "/api/v1/machines/{id}/device/images"), " a.iso");
        assert_eq!(of("/api/v1/desktops/1/drive?name=a.iso", "/api/v1/desktops/{id}/drive"), "");
    }

    #[test]
    fn deeds_have_the_names_of_operations() {
        let of = |method: &str, path: &str| ACTIONS.get(&(method.to_owned(), format!("/api/v1{path}"))).cloned();
        assert_eq!(of("PATCH", "/pools/{id}").as_deref(), Some("change_pool"));
        assert_eq!(of("POST", "/login").as_deref(), Some("login"));
        assert!(ACTIONS.values().all(|action| !action.is_empty()));
        for action in READ_DEEDS.iter().chain(&IN_PIECES).chain(&SIGN_INS_BY_READING) {
            assert!(ACTIONS.values().any(|one| one == action), "{action}");
        }
    }

    #[test]
    fn pieces_are_one_deed() {
        let now = Instant::now();
        assert!(is_first_piece("a", now) && !is_first_piece("a", now) && is_first_piece("b", now));
        assert!(is_first_piece("a", now + PIECES_TIME));
    }
}
