//! Requests: where they lead, who may, and what they are told.

use crate::answer::{
    Answer, Answered, Refusal, done, plain, result, streamed, typed, typed_body, with_header, with_status,
};
use crate::inner::Inner;
use crate::machine::Button;
use crate::query::Query;
use crate::{
    BODY_BYTES_MAX, FRAMES_A_SECOND_MAX, GOP_MAX, KILOBITS, PRINT_BYTES_MAX, drive, hid, part, picture, socket,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, HeaderMap, LOCATION};
use hyper::{Method, Request, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const DELETE: Method = Method::DELETE;

/// Everything that there is.
const PLACES: &[(&str, &[Method])] = &[
    ("/api/auth/login", &[POST]),
    ("/api/auth/logout", &[POST]),
    ("/api/auth/check", &[GET]),
    ("/api/info", &[GET]),
    ("/api/log", &[GET]),
    ("/api/export/prometheus/metrics", &[GET]),
    ("/api/ws", &[GET]),
    ("/api/media", &[GET]),
    ("/api/media/ws", &[GET]),
    ("/api/hid", &[GET]),
    ("/api/hid/set_params", &[POST]),
    ("/api/hid/set_connected", &[POST]),
    ("/api/hid/reset", &[POST]),
    ("/api/hid/inactivity", &[GET]),
    ("/api/hid/keymaps", &[GET]),
    ("/api/hid/print", &[POST]),
    ("/api/hid/events/send_key", &[POST]),
    ("/api/hid/events/send_shortcut", &[POST]),
    ("/api/hid/events/send_mouse_button", &[POST]),
    ("/api/hid/events/send_mouse_move", &[POST]),
    ("/api/hid/events/send_mouse_relative", &[POST]),
    ("/api/hid/events/send_mouse_wheel", &[POST]),
    ("/api/atx", &[GET]),
    ("/api/atx/power", &[POST]),
    ("/api/atx/click", &[POST]),
    ("/api/msd", &[GET]),
    ("/api/msd/set_params", &[POST]),
    ("/api/msd/set_connected", &[POST]),
    ("/api/msd/write", &[POST]),
    ("/api/msd/write_remote", &[POST]),
    ("/api/msd/remove", &[POST]),
    ("/api/msd/reset", &[POST]),
    ("/api/gpio", &[GET]),
    ("/api/gpio/switch", &[POST]),
    ("/api/gpio/pulse", &[POST]),
    ("/api/streamer", &[GET]),
    ("/api/streamer/snapshot", &[GET, DELETE]),
    ("/api/streamer/ocr", &[GET]),
    ("/api/streamer/set_params", &[POST]),
    ("/api/streamer/reset", &[POST]),
    ("/api/switch", &[GET]),
    ("/streamer/state", &[GET]),
    ("/streamer/snapshot", &[GET]),
    ("/streamer/stream", &[GET]),
];

/// Without the slashes at its end, and with one where there are several; `None`: it is so already.
fn tidy(path: &str) -> Option<String> {
    let mut tidy = String::with_capacity(path.len());
    for one in path.chars() {
        if one != '/' || !tidy.ends_with('/') {
            tidy.push(one);
        }
    }
    while tidy.len() > 1 && tidy.ends_with('/') {
        tidy.pop();
    }
    (tidy != path).then_some(tidy)
}

pub(crate) async fn answer(inner: Arc<Inner>, from: IpAddr, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = match route(&inner, from, request).await {
        Ok(answer) => answer,
        Err(refusal) => {
            tracing::debug!(%method, path, status = refusal.status.as_u16(), text = refusal.text, "Refused");
            refusal.answer()
        }
    };
    Ok(with_header(answer, "X-Content-Type-Options", "nosniff"))
}

async fn route(inner: &Arc<Inner>, from: IpAddr, request: Request<Incoming>) -> Answered {
    let path = request.uri().path();
    if let Some(tidy) = tidy(path) {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let answer = with_status(StatusCode::PERMANENT_REDIRECT, typed("text/plain; charset=utf-8", ""));
        return Ok(with_header(answer, LOCATION.as_str(), &format!("{tidy}{query}")));
    }
    let Some((path, methods)) = PLACES.iter().find(|(place, _)| *place == path) else {
        return Ok(plain(StatusCode::NOT_FOUND));
    };
    let method = match *request.method() {
        Method::HEAD => GET,
        ref method => method.clone(),
    };
    if !methods.contains(&method) {
        let allowed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(",");
        return Ok(with_header(plain(StatusCode::METHOD_NOT_ALLOWED), "Allow", &allowed));
    }
    if *path == "/api/auth/login" {
        return login(inner, from, request).await;
    }
    let user = known(inner, from, request.headers()).await?;
    if *path == "/api/auth/logout" {
        if let Some(user) = user {
            inner.door.end(&user);
        }
        return Ok(done());
    }
    serve(inner, &method, path, request).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The token among the cookies.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    all.flat_map(|cookies| cookies.split(';')).find_map(|pair| pair.trim().strip_prefix("auth_token="))
}

/// Who asks. What is there first decides: headers of kvmd, the cookie, Basic.
async fn known(inner: &Inner, from: IpAddr, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    if !inner.door.is_kept() {
        return Ok(None);
    }
    if let Some(user) = header(headers, "x-kvmd-user") {
        let password = header(headers, "x-kvmd-passwd").unwrap_or_default();
        inner.door.check(user, password, from).await?;
        return Ok(Some(user.to_owned()));
    }
    if let Some(token) = cookie(headers) {
        return inner.door.of_token(token)?.map(Some).ok_or_else(Refusal::forbidden);
    }
    let basic = header(headers, AUTHORIZATION.as_str()).and_then(|value| value.split_once(' '));
    if let Some((_, coded)) = basic.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic")) {
        let decoded = STANDARD.decode(coded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = decoded.ok_or_else(Refusal::unauthorized)?;
        let (user, password) = decoded.split_once(':').ok_or_else(Refusal::unauthorized)?;
        // kvmd takes no password with a colon there.
        if password.contains(':') {
            return Err(Refusal::unauthorized());
        }
        inner.door.check(user, password, from).await?;
        return Ok(Some(user.to_owned()));
    }
    Err(Refusal::unauthorized())
}

/// A whole body, of so many bytes at most.
async fn body_of(request: Request<Incoming>, most: usize) -> Result<Bytes, Refusal> {
    let read = Limited::new(request.into_body(), most).collect();
    let read = tokio::time::timeout(Duration::from_mins(1), read).await;
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        _ => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "ValidatorError",
            format!("The body is larger than {most} bytes, or did not come whole"),
        )),
    }
}

async fn login(inner: &Inner, from: IpAddr, request: Request<Incoming>) -> Answered {
    let body = body_of(request, BODY_BYTES_MAX).await?;
    let form = Query::of(&String::from_utf8_lossy(&body));
    let redirect = form.word("redirect", &["", "/", "/kvm", "/kvm/"], "redirect")?;
    let expire = form.within("expire", 0, i64::from(i32::MAX), "expiration time")?.unwrap_or(0);
    let mut answer = done();
    if inner.door.is_kept() {
        let user = form.text("user").trim();
        inner.door.check(user, form.text("passwd"), from).await?;
        let token = inner.door.begin(user, (expire > 0).then(|| Duration::from_secs(expire as u64)));
        let cookie = format!("auth_token={}; HttpOnly; Path=/; SameSite=Strict", token.expose_secret());
        answer = with_header(answer, "Set-Cookie", &cookie);
        inner.log.add(&format!("{user} signed in from {from}"));
    }
    if redirect.is_empty() {
        return Ok(answer);
    }
    Ok(with_header(with_status(StatusCode::FOUND, answer), LOCATION.as_str(), redirect))
}

/// Of somebody who may.
async fn serve(inner: &Arc<Inner>, method: &Method, path: &str, request: Request<Incoming>) -> Answered {
    let query = Query::of(request.uri().query().unwrap_or_default());
    if let Some(what) = path.strip_prefix("/api/hid/") {
        if what == "print" {
            let body = body_of(request, PRINT_BYTES_MAX).await?;
            let text = std::str::from_utf8(&body).map_err(|_| Refusal::invalid("body", "UTF-8 text"))?;
            return hid::print(inner, &query, text).await;
        }
        return hid::command(inner, what.strip_prefix("events/").unwrap_or(what), &query).await;
    }
    if let Some(what) = path.strip_prefix("/api/msd/") {
        if what == "write" {
            let length = header(request.headers(), CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
            return drive::write(inner, &query, length, request.into_body()).await;
        }
        if what == "write_remote" {
            return drive::write_remote(inner, &query).await;
        }
        return drive::command(inner, what, &query).await;
    }
    match path {
        "/api/auth/check" => Ok(done()),
        "/api/info" => info(inner, &query),
        "/api/log" => log(inner, &query),
        "/api/export/prometheus/metrics" => Ok(typed("text/plain; charset=utf-8", inner.metrics())),
        "/api/ws" => socket::events(inner, request, &query),
        "/api/media" => Ok(result(socket::offer(inner))),
        "/api/media/ws" => socket::media(inner, request, &query),
        "/api/hid" | "/api/atx" | "/api/msd" | "/api/gpio" | "/api/streamer" | "/api/switch" => {
            Ok(result(inner.part(path.strip_prefix("/api/").unwrap_or_default())))
        }
        "/api/atx/power" => power(inner, &query).await,
        "/api/atx/click" => {
            let button = query.word("button", &["power", "power_long", "reset"], "ATX button")?;
            let button = match button {
                "power" => Button::Power,
                "power_long" => Button::PowerLong,
                _ => Button::Reset,
            };
            press(inner, button, query.on("wait")?).await
        }
        "/api/gpio/switch" | "/api/gpio/pulse" => gpio(path, &query),
        "/api/streamer/snapshot" if *method == DELETE => {
            inner.now().saved = None;
            inner.change();
            Ok(done())
        }
        "/api/streamer/snapshot" | "/streamer/snapshot" => picture::snapshot(inner, &query).await,
        "/api/streamer/ocr" => Ok(result(json!({"ocr": part::ocr()}))),
        "/api/streamer/set_params" => stream_params(inner, &query),
        "/api/streamer/reset" => Ok(done()),
        "/streamer/state" => match inner.running_streamer() {
            Value::Null => Err(Refusal::new(StatusCode::BAD_GATEWAY, "UnavailableError", "The streamer does not run")),
            state => Ok(result(state)),
        },
        "/streamer/stream" => picture::stream(inner, &query),
        _ => Ok(plain(StatusCode::NOT_FOUND)),
    }
}

fn info(inner: &Inner, query: &Query) -> Answered {
    let legacy = query.flag("legacy")?.unwrap_or(true);
    let known = |name: &&str| part::INFO.contains(name) || (legacy && **name == *"hw");
    let named: Vec<&str> = query.text("fields").split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = named.iter().find(|name| !known(name)) {
        return Err(Refusal::invalid(unknown, "info field"));
    }
    let all = || part::INFO.into_iter().filter(|name| !legacy || *name != "health").chain(legacy.then_some("hw"));
    let fields: Vec<&str> = if named.is_empty() { all().collect() } else { named };
    let mut out = Map::new();
    for name in fields {
        let mut value = if name == "uptime" { inner.uptime(1) } else { inner.info(name) };
        if legacy
            && name == "system"
            && let Some(system) = value.as_object_mut()
        {
            // It was in `hw` then.
            system.remove("platform");
        }
        out.insert(name.to_owned(), value);
    }
    Ok(result(Value::Object(out)))
}

fn log(inner: &Arc<Inner>, query: &Query) -> Answered {
    let seek = query.within("seek", 0, i64::from(i32::MAX), "log seek")?.unwrap_or(0);
    let (text, seen) = inner.log.since(seek as u64);
    if !query.on("follow")? {
        return Ok(typed("text/plain; charset=utf-8", text));
    }
    let state = (Arc::clone(inner), seen, Some(text));
    let lines = futures::stream::unfold(state, |(inner, seen, first)| async move {
        let (text, seen) = match first {
            Some(text) => (text, seen),
            None => inner.log.after(seen).await,
        };
        Some((Ok::<_, io::Error>(Bytes::from(text)), (inner, seen, None)))
    });
    Ok(typed_body("text/plain; charset=utf-8", streamed(lines)))
}

/// Presses what the wish needs, by the power light.
async fn power(inner: &Arc<Inner>, query: &Query) -> Answered {
    let action = query.word("action", &["on", "off", "off_hard", "reset_hard"], "ATX power action")?;
    let wait = query.on("wait")?;
    let on = inner.machine.status().borrow().power.ok_or_else(without_buttons)?;
    let button = match (action, on) {
        ("on", false) | ("off", true) => Button::Power,
        ("off_hard", true) => Button::PowerLong,
        ("reset_hard", true) => Button::Reset,
        // It is so already.
        _ => return Ok(done()),
    };
    press(inner, button, wait).await
}

fn without_buttons() -> Refusal {
    Refusal::bad("AtxDisabledError", "ATX is disabled")
}

/// One button at a time. Without `wait` the answer does not wait for it.
async fn press(inner: &Arc<Inner>, button: Button, wait: bool) -> Answered {
    if inner.machine.status().borrow().power.is_none() {
        return Err(without_buttons());
    }
    {
        let mut now = inner.now();
        if now.pressing.is_some() {
            let text = "Performing another ATX operation, please try again later";
            return Err(Refusal::new(StatusCode::CONFLICT, "AtxIsBusyError", text));
        }
        now.pressing = Some(button);
    }
    inner.change();
    inner.log.add(&format!("Pressed: {button:?}"));
    let pressing = Arc::clone(inner);
    // Whoever asked may hang up meanwhile; the button comes up again all the same.
    let pressed = tokio::spawn(async move {
        let pressed = pressing.machine.press(button).await;
        if let Err(why) = &pressed {
            pressing.log.add(&format!("{button:?} did nothing: {why}"));
        }
        tokio::time::sleep(pressing.options.cool_down).await;
        pressing.now().pressing = None;
        pressing.change();
        pressed
    });
    if !wait {
        return Ok(done());
    }
    match pressed.await {
        Ok(Ok(())) => Ok(done()),
        Ok(Err(why)) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "AtxError", why)),
        Err(_) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "AtxError", "The machine did not answer")),
    }
}

/// There are no channels.
fn gpio(path: &str, query: &Query) -> Answered {
    let channel = query.text("channel");
    let mut letters = channel.bytes();
    let first = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    if !first || !letters.all(|one| one.is_ascii_alphanumeric() || b"_.-".contains(&one)) {
        return Err(Refusal::invalid(channel, "GPIO channel"));
    }
    if path.ends_with("switch") {
        query.needed_flag("state")?;
    }
    Err(Refusal::bad("GpioChannelNotFoundError", "GPIO channel is not found"))
}

fn stream_params(inner: &Inner, query: &Query) -> Answered {
    if query.get("resolution").is_some() {
        return Err(Refusal::bad("StreamerResolutionNotSupported", "This system does not support resolution settings"));
    }
    let has_video = query.get("h264_bitrate").is_some() || query.get("h264_gop").is_some();
    if has_video && inner.encoder().is_none() {
        return Err(Refusal::bad("StreamerH264NotSupported", "This system does not support H264"));
    }
    let quality = query.within("quality", 1, 100, "stream quality")?;
    let fps = query.within("desired_fps", 0, 120, "desired FPS")?;
    let kilobits = query.within("h264_bitrate", KILOBITS.0.into(), KILOBITS.1.into(), "stream H264 bitrate")?;
    let gop = query.within("h264_gop", 0, GOP_MAX.into(), "stream H264 GOP")?;
    {
        let mut now = inner.now();
        now.kilobits = kilobits.map(|kilobits| kilobits as u16).or(now.kilobits);
        now.gop = gop.map(|gop| gop as u8).or(now.gop);
        now.quality = quality.map_or(now.quality, |quality| quality as u8);
        now.frames_per_second = fps.map_or(now.frames_per_second, |fps| (fps as u8).min(FRAMES_A_SECOND_MAX));
    }
    inner.change();
    inner.want();
    Ok(done())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied_and_none_stands_twice() {
        for (path, want) in [
            ("/api/hid", None),
            ("/api/hid/", Some("/api/hid")),
            ("//api///hid//", Some("/api/hid")),
            ("/", None),
            ("//", Some("/")),
        ] {
            assert_eq!(tidy(path).as_deref(), want, "{path}");
        }
        let mut all: Vec<&str> = PLACES.iter().map(|(place, _)| *place).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), PLACES.len());
        assert!(all.iter().all(|place| tidy(place).is_none()));
    }
}
