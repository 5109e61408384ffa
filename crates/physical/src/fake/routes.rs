//! Its HTTP side.

use super::world::{Stored, World};
use super::{Inner, sockets};
use crate::totp;
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, COOKIE, DATE, LOCATION, SET_COOKIE};
use hyper::{Method, Request, Response, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep};

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

fn body(bytes: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, Infallible> {
    Full::new(bytes.into()).boxed_unsync()
}

fn built(builder: hyper::http::response::Builder, bytes: impl Into<Bytes>) -> Answer {
    builder.body(body(bytes)).unwrap_or_else(|_| Response::new(body("")))
}

fn envelope(result: &Value) -> Answer {
    let text = json!({"ok": true, "result": result}).to_string();
    built(Response::builder().header(CONTENT_TYPE, "application/json"), text)
}

pub(super) fn refused(status: u16, name: &str, text: &str) -> Answer {
    let text = json!({"ok": false, "result": {"error": name, "error_msg": text}}).to_string();
    built(Response::builder().status(status).header(CONTENT_TYPE, "application/json"), text)
}

fn plain(status: u16, text: &'static str) -> Answer {
    built(Response::builder().status(status).header(CONTENT_TYPE, "text/plain"), text)
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// Its clock, in seconds since 1970.
fn now(inner: &Inner) -> u64 {
    let right = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    right.saturating_add_signed(inner.world().options.faults.drift)
}

fn date(unix: u64) -> String {
    let time = jiff::Timestamp::from_second(unix as i64).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(super) async fn answer(inner: Arc<Inner>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let unix = now(&inner);
    let (slow, silent) = {
        let mut world = inner.world();
        world.requests.push(format!("{} {}", request.method(), request.uri()));
        (world.options.faults.slow, world.options.faults.silent)
    };
    if silent {
        std::future::pending::<()>().await;
    }
    if let Some(slow) = slow {
        sleep(slow).await;
    }
    let mut answer = route(&inner, request).await;
    if let Ok(date) = date(unix).parse() {
        answer.headers_mut().insert(DATE, date);
    }
    Ok(answer)
}

async fn route(inner: &Arc<Inner>, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let query = pairs(request.uri().query().unwrap_or_default());
    if path.len() > 1 && path.ends_with('/') {
        let to = path.trim_end_matches('/');
        return built(Response::builder().status(308).header(LOCATION, to), "");
    }
    if path == "/api/auth/login" {
        return login(inner, request).await;
    }
    // Whatever is there first decides.
    let said = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let (Some(user), Some(password)) = (said("x-kvmd-user"), said("x-kvmd-passwd")) {
        let unix = now(inner);
        if !is_known(&inner.world(), user, password, unix) {
            return refused(403, "ForbiddenError", "Forbidden");
        }
        return command(inner, request, &path, &query).await;
    }
    let token = request.headers().get(COOKIE).and_then(|cookie| cookie.to_str().ok()?.strip_prefix("auth_token="));
    match token {
        None => refused(401, "UnauthorizedError", "Unauthorized"),
        Some(token) if !inner.world().sessions.contains(token) => refused(403, "ForbiddenError", "Forbidden"),
        Some(_) => command(inner, request, &path, &query).await,
    }
}

/// Of somebody who is signed in.
async fn command(
    inner: &Arc<Inner>,
    request: Request<Incoming>,
    path: &str,
    query: &BTreeMap<String, String>,
) -> Answer {
    let faults = inner.world().options.faults.clone();
    if faults.without_api && path != "/api/auth/check" {
        return plain(404, "404: Not Found");
    }
    let method = request.method().clone();
    let arg = |name: &str| query.get(name).cloned().unwrap_or_default();
    let on = |name: &str| matches!(arg(name).as_str(), "1" | "true" | "yes");
    match (&method, path) {
        (&Method::GET, "/api/ws") => sockets::events(inner, request, on("stream")),
        (&Method::GET, "/api/media/ws") if !faults.without_media => sockets::media(inner, request),
        (&Method::GET, "/streamer/stream") => stream(inner),
        (&Method::GET, "/api/auth/check") => envelope(&json!({})),
        (
            &Method::GET,
            "/api/hid" | "/api/atx" | "/api/msd" | "/api/gpio" | "/api/streamer" | "/api/info" | "/api/switch",
        ) => {
            let part = path.trim_start_matches("/api/");
            envelope(&inner.world().part(part))
        }
        (&Method::GET, "/api/log") => plain(200, "[2026-11-28 00:00:00 kvmd] --- Ready\r\n"),
        (&Method::GET, "/api/streamer/snapshot") => {
            let world = inner.world();
            if world.watchers == 0 {
                return refused(503, "UnavailableError", "Service Unavailable");
            }
            built(Response::builder().header(CONTENT_TYPE, "image/jpeg"), world.options.picture.clone())
        }
        (&Method::POST, "/api/hid/print") => {
            let text = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            inner.world().printed.push((text, query.get("keymap").cloned()));
            envelope(&json!({}))
        }
        (&Method::POST, "/api/hid/set_params") => {
            inner.world().jiggler = on("jiggler");
            inner.changed("hid");
            envelope(&json!({}))
        }
        (&Method::POST, "/api/hid/reset") => {
            inner.world().gadget.clear();
            envelope(&json!({}))
        }
        (&Method::POST, "/api/atx/power") => power(inner, &arg("action")),
        (&Method::POST, "/api/atx/click") => match arg("button").as_str() {
            button @ ("power" | "power_long" | "reset") => {
                let power = inner.world().power;
                press(
                    inner,
                    match button {
                        "power" => !power,
                        "power_long" => false,
                        _ => power,
                    },
                )
            }
            _ => refused(400, "ValidatorError", "The argument 'button' is not a valid ATX button"),
        },
        (&Method::POST, "/api/switch/set_active") => {
            inner.world().switch.choose(&arg("port"));
            inner.changed("switch");
            envelope(&json!({}))
        }
        (&Method::POST, "/api/switch/atx/power" | "/api/switch/atx/click") => {
            let what = if path.ends_with("power") { arg("action") } else { arg("button") };
            inner.world().switch.press(&arg("port"), &what);
            inner.changed("switch");
            envelope(&json!({}))
        }
        (&Method::POST, "/api/gpio/switch" | "/api/gpio/pulse") => {
            if arg("channel") != "relay" {
                return refused(400, "GpioChannelNotFoundError", "GPIO channel is not found");
            }
            if path.ends_with("switch") {
                inner.world().relay = on("state");
                inner.changed("gpio");
            }
            envelope(&json!({}))
        }
        (&Method::POST, "/api/msd/set_params" | "/api/msd/set_connected" | "/api/msd/remove") => {
            let answer = drive(inner, path, query, on("connected"), on("cdrom"), on("rw"));
            inner.changed("msd");
            answer
        }
        (&Method::POST, "/api/msd/write") => {
            if !request.headers().contains_key("content-length") {
                return refused(400, "ValidatorError", "no length");
            }
            let name = arg("image");
            if inner.world().images.contains_key(&name) {
                return refused(400, "MsdImageExistsError", "This image is already exists");
            }
            let Ok(bytes) = request.into_body().collect().await else {
                return refused(400, "MsdOfflineError", "cut off");
            };
            let bytes = bytes.to_bytes().len() as u64;
            store(inner, &name, bytes);
            envelope(&json!({"image": {"name": name, "size": bytes, "written": bytes}}))
        }
        (&Method::POST, "/api/msd/write_remote") => {
            let url = arg("url");
            let name =
                query.get("image").cloned().or_else(|| url.rsplit('/').next().map(str::to_owned)).unwrap_or_default();
            let line = |written: u64| {
                format!(
                    "{}\r\n",
                    json!({"ok": true, "result": {"image": {"name": name, "size": 100, "written": written}}})
                )
            };
            let end = if url.contains("missing") {
                format!(
                    "{}\r\n",
                    json!({"ok": false, "result": {"error": "ClientResponseError", "error_msg": "404, message='Not Found'"}})
                )
            } else {
                store(inner, &name, 100);
                line(100)
            };
            built(Response::builder().header(CONTENT_TYPE, "application/x-ndjson"), format!("{}{end}", line(40)))
        }
        _ => plain(404, "404: Not Found"),
    }
}

fn store(inner: &Arc<Inner>, name: &str, bytes: u64) {
    let listed = Instant::now() + Duration::from_millis(700);
    inner.world().images.insert(name.to_owned(), Stored { bytes, listed });
}

/// The password, with the code of the second factor behind it where there is one.
fn is_known(world: &World, user: &str, given: &str, unix: u64) -> bool {
    let password = &world.options.password;
    let right = match &world.options.totp {
        None => given == password,
        Some(secret) => {
            let secret = SecretString::from(secret.clone());
            [unix - 30, unix, unix + 30]
                .iter()
                .any(|at| totp::code(&secret, *at).is_ok_and(|code| given == format!("{password}{code}")))
        }
    };
    right && user == world.options.user
}

async fn login(inner: &Arc<Inner>, request: Request<Incoming>) -> Answer {
    let form = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let form = pairs(&String::from_utf8_lossy(&form));
    let (unix, mut world) = (now(inner), inner.world());
    world.logins += 1;
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let known = is_known(&world, given("user"), given("passwd"), unix);
    if !known {
        return refused(403, "ForbiddenError", "Forbidden");
    }
    let token = format!("{:064x}", world.logins);
    world.sessions.insert(token.clone());
    let cookie = format!("auth_token={token}; HttpOnly; Path=/; SameSite=Strict");
    built(
        Response::builder().header(CONTENT_TYPE, "application/json").header(SET_COOKIE, cookie),
        json!({"ok": true, "result": {}}).to_string(),
    )
}

fn power(inner: &Arc<Inner>, action: &str) -> Answer {
    let on = inner.world().power;
    match (action, on) {
        ("on", false) => press(inner, true),
        ("off" | "off_hard", true) => press(inner, false),
        ("on" | "off" | "off_hard", _) => envelope(&json!({})),
        ("reset_hard", on) => press(inner, on),
        _ => refused(400, "ValidatorError", "The argument 'action' is not a valid ATX power action"),
    }
}

/// The button goes in, and the light follows a moment later.
fn press(inner: &Arc<Inner>, to: bool) -> Answer {
    {
        let mut world = inner.world();
        if world.busy() {
            return refused(409, "AtxIsBusyError", "Performing another ATX operation, please try again later");
        }
        world.busy_until = Some(Instant::now() + Duration::from_millis(150));
    }
    inner.changed("atx");
    let later = Arc::clone(inner);
    tokio::spawn(async move {
        sleep(Duration::from_millis(200)).await;
        {
            let mut world = later.world();
            if !world.options.faults.unwired {
                world.power = to;
            }
        }
        later.changed("atx");
    });
    envelope(&json!({}))
}

fn drive(
    inner: &Arc<Inner>,
    path: &str,
    query: &BTreeMap<String, String>,
    connect: bool,
    cdrom: bool,
    rw: bool,
) -> Answer {
    let mut world = inner.world();
    let connected =
        || refused(400, "MsdConnectedError", "MSD is connected to Server, but shouldn't for this operation");
    let image = query.get("image").cloned().unwrap_or_default();
    match path {
        "/api/msd/set_connected" if connect == world.connected => {
            if connect {
                connected()
            } else {
                refused(
                    400,
                    "MsdDisconnectedError",
                    "MSD is disconnected from Server, but should be for this operation",
                )
            }
        }
        "/api/msd/set_connected" if connect && world.image.is_none() => {
            refused(400, "MsdImageNotSelected", "The image is not selected")
        }
        "/api/msd/set_connected" => {
            world.connected = connect;
            envelope(&json!({}))
        }
        _ if world.connected => connected(),
        _ if !image.is_empty() && !world.is_listed(&image) => {
            refused(400, "MsdUnknownImageError", "The image is not found in the storage")
        }
        "/api/msd/remove" => {
            world.images.remove(&image);
            envelope(&json!({}))
        }
        _ => {
            world.image = (!image.is_empty()).then_some(image);
            (world.cdrom, world.writable) = (cdrom, rw);
            envelope(&json!({}))
        }
    }
}

/// JPEGs without an end.
fn stream(inner: &Arc<Inner>) -> Answer {
    let inner = Arc::clone(inner);
    let pictures = futures::stream::unfold(inner, |inner| async move {
        sleep(Duration::from_millis(50)).await;
        let picture = {
            let mut world = inner.world();
            world.pictures_sent += 1;
            world.options.picture.clone()
        };
        let mut part = format!(
            "--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: 0.0\r\n\r\n",
            picture.len()
        )
        .into_bytes();
        part.extend_from_slice(&picture);
        part.extend_from_slice(b"\r\n");
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(part))), inner))
    });
    Response::builder()
        .header(CONTENT_TYPE, "multipart/x-mixed-replace;boundary=boundarydonotcross")
        .body(BodyExt::boxed_unsync(StreamBody::new(pictures.boxed())))
        .unwrap_or_else(|_| refused(StatusCode::INTERNAL_SERVER_ERROR.as_u16(), "Error", "no answer"))
}
