//! Requests and answers, as they were measured on the real daemon.

use crate::house::{Fake, House, SIGNED_IN, options, picture};
use base64::Engine as _;
use hyper::Method;
use oriel_device::{Accounts, Button, DeviceOptions, Status};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

fn basic(pair: &str) -> String {
    format!("bAsIc {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

#[tokio::test]
async fn the_first_credentials_that_are_there_decide() {
    let house = House::new().await;
    let check = async |headers: &[(&str, &str)]| {
        let told = house.send(Method::GET, "/api/auth/check", headers, "").await;
        (told.status.as_u16(), told.json()["result"]["error"].as_str().map(str::to_owned))
    };
    let refused = |status: u16, name: &str| (status, Some(name.to_owned()));
    let right = basic("admin:secret");
    assert_eq!(check(&[]).await, refused(401, "UnauthorizedError"));
    assert_eq!(check(SIGNED_IN).await, (200, None));
    assert_eq!(check(&[("Authorization", &right)]).await, (200, None));
    assert_eq!(check(&[("X-KVMD-User", "admin"), ("X-KVMD-Passwd", "no")]).await, refused(403, "ForbiddenError"));
    assert_eq!(check(&[("X-KVMD-User", "Admin"), ("X-KVMD-Passwd", "no")]).await, refused(400, "ValidatorError"));
    assert_eq!(check(&[("Authorization", &basic("admin:no"))]).await, refused(403, "ForbiddenError"));
    assert_eq!(check(&[("Authorization", &basic("admin:a:b"))]).await, refused(401, "UnauthorizedError"));
    assert_eq!(check(&[("Authorization", "Basic ???")]).await, refused(401, "UnauthorizedError"));
    assert_eq!(check(&[("Authorization", "Bearer x")]).await, refused(401, "UnauthorizedError"));
    assert_eq!(check(&[("Cookie", "auth_token=short")]).await, refused(400, "ValidatorError"));
    let unknown = format!("a=b; auth_token={}", "0".repeat(64));
    assert_eq!(check(&[("Cookie", &unknown)]).await, refused(403, "ForbiddenError"));
    // Present and wrong: what comes after it is not looked at.
    assert_eq!(check(&[("Cookie", &unknown), ("Authorization", &right)]).await, refused(403, "ForbiddenError"));
    let told = house.send(Method::GET, "/api/atx", &[], "").await;
    assert!(told.status == 401 && !told.headers.contains_key("www-authenticate"));
}

#[tokio::test]
async fn a_login_is_a_cookie_and_a_logout_ends_all_of_a_person() {
    let house = House::new().await;
    let login = async |form: &'static str| {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        house.send(Method::POST, "/api/auth/login", &[kind], form).await
    };
    let told = login("user=admin&passwd=secret").await;
    assert_eq!(told.result(), json!({}));
    let cookie = told.header("set-cookie").to_owned();
    let (pair, rest) = cookie.split_once("; ").unwrap();
    assert_eq!(rest, "HttpOnly; Path=/; SameSite=Strict");
    let token = pair.strip_prefix("auth_token=").unwrap();
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    let other = login("user=admin&passwd=secret&expire=600&redirect=/kvm/").await;
    assert_eq!((other.status.as_u16(), other.header("location")), (302, "/kvm/"));
    assert_eq!(login("user=admin&passwd=wrong").await.refused(), (403, "ForbiddenError".to_owned()));
    assert_eq!(login("user=admin&passwd=secret&redirect=//evil").await.refused().0, 400);
    assert_eq!(login("user=admin&passwd=secret&expire=-1").await.refused(), (400, "ValidatorError".to_owned()));

    let other = other.header("set-cookie").split(';').next().unwrap().to_owned();
    for pair in [pair, &other] {
        assert_eq!(house.send(Method::GET, "/api/auth/check", &[("Cookie", pair)], "").await.status, 200);
    }
    assert_eq!(house.send(Method::POST, "/api/auth/logout", &[("Cookie", pair)], "").await.status, 200);
    for pair in [pair, &other] {
        assert_eq!(house.send(Method::GET, "/api/auth/check", &[("Cookie", pair)], "").await.status, 403);
    }

    // Without accounts nobody is asked.
    let open = House::start(Fake::default(), DeviceOptions { accounts: Accounts::default(), ..options() }).await;
    assert_eq!(open.send(Method::GET, "/api/auth/check", &[], "").await.status, 200);
    let told = open.send(Method::POST, "/api/auth/login", &[], "user=x&passwd=y").await;
    assert!(told.status == 200 && !told.headers.contains_key("set-cookie"));
    assert_eq!(open.get("/api/info?fields=auth").await.result(), json!({"auth": {"enabled": false}}));
}

#[tokio::test]
async fn paths_are_those_of_kvmd() {
    let house = House::new().await;
    for (path, to) in [("/api/hid/", "/api/hid"), ("/api//hid?a=%20b", "/api/hid?a=%20b"), ("/api/hid//", "/api/hid")] {
        let told = house.get(path).await;
        assert_eq!((told.status.as_u16(), told.header("location")), (308, to), "{path}");
    }
    // Where nothing is, nobody is asked who they are.
    let told = house.send(Method::GET, "/api/nothing", &[], "").await;
    assert_eq!((told.status.as_u16(), &told.body[..]), (404, &b"404: Not Found"[..]));
    assert!(told.header("content-type").starts_with("text/plain"));
    let told = house.post("/api/hid").await;
    assert_eq!(
        (told.status.as_u16(), &told.body[..], told.header("allow")),
        (405, &b"405: Method Not Allowed"[..], "GET")
    );
    assert_eq!(house.get("/api/ws").await.refused().0, 400);
    // The envelope: four spaces, sorted.
    let told = house.get("/api/media").await;
    assert_eq!(told.header("content-type"), "application/json; charset=utf-8");
    let text =
        "{\n    \"ok\": true,\n    \"result\": {\n        \"video\": {\n            \"jpeg\": {}\n        }\n    }\n}";
    assert_eq!(std::str::from_utf8(&told.body).unwrap(), text);
}

#[tokio::test]
async fn states_are_whole() {
    let house = House::new().await;
    let hid = house.get("/api/hid").await.result();
    assert_eq!(
        hid,
        json!({
            "enabled": true, "online": true, "busy": false, "connected": null,
            "keyboard": {"online": true, "leds": {"caps": false, "scroll": false, "num": false},
                         "outputs": {"available": [], "active": ""}},
            "mouse": {"online": true, "absolute": true, "outputs": {"available": ["usb", "usb_rel"], "active": "usb"}},
            "jiggler": {"enabled": true, "active": false, "interval": 60},
        })
    );
    house.machine.status.send_modify(|status| status.leds = 4);
    assert_eq!(house.get("/api/hid").await.result()["keyboard"]["leds"]["caps"], true);
    assert_eq!(
        house.get("/api/atx").await.result(),
        json!({"enabled": true, "busy": false, "acts": {"power": false, "reset": false}, "leds": {"power": false, "hdd": false}})
    );
    let streamer = house.get("/api/streamer").await.result();
    assert_eq!((&streamer["streamer"], &streamer["snapshot"]["saved"]), (&Value::Null, &Value::Null));
    assert_eq!(streamer["features"], json!({"quality": true, "resolution": false, "h264": false}));
    assert_eq!(house.get("/api/gpio").await.result()["state"], json!({"inputs": {}, "outputs": {}}));
    // Without a folder there is no drive.
    let msd = json!({"enabled": false, "online": false, "busy": false, "storage": null, "drive": null});
    assert_eq!(house.get("/api/msd").await.result(), msd);
    for path in [
        "/api/msd/set_params?image=x",
        "/api/msd/set_connected?connected=1",
        "/api/msd/reset",
        "/api/msd/write?image=x",
    ] {
        assert_eq!(house.post(path).await.refused(), (400, "MsdDisabledError".to_owned()), "{path}");
    }
    assert_eq!(house.get("/api/streamer/ocr").await.result()["ocr"]["enabled"], false);
    assert_eq!(house.get("/api/hid/keymaps").await.result()["keymaps"]["default"], "en-us");
    assert!(house.get("/api/hid/inactivity").await.result()["inactivity"].is_u64());
    assert!(house.get("/api/switch").await.result()["summary"].is_object());
}

#[tokio::test]
async fn info_has_two_shapes() {
    let house = House::new().await;
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let legacy = house.get("/api/info").await.result();
    assert_eq!(keys(&legacy), "auth extras fan hw meta node system uptime");
    assert!(legacy["hw"]["platform"]["type"].is_string() && legacy["system"].get("platform").is_none());
    assert_eq!(legacy["meta"]["server"]["host"], "fake.example");
    assert_eq!(legacy["system"]["kvmd"]["version"], "4.197");
    let new = house.get("/api/info?legacy=0").await.result();
    assert_eq!(keys(&new), "auth extras fan health meta node system uptime");
    assert!(new["system"]["platform"].is_object());
    assert_eq!(keys(&house.get("/api/info?fields=auth,%20uptime").await.result()), "auth uptime");
    assert_eq!(house.get("/api/info?fields=auth,nothing").await.refused(), (400, "ValidatorError".to_owned()));
    assert_eq!(house.get("/api/info?legacy=0&fields=hw").await.refused().0, 400);
    let log = house.get("/api/log?seek=3600").await;
    assert!(log.header("content-type").starts_with("text/plain"));
    assert!(std::str::from_utf8(&log.body).unwrap().ends_with("\r\n"));
    house.machine.status.send_modify(|status| status.power = Some(true));
    let metrics = house.get("/api/export/prometheus/metrics").await;
    assert!(std::str::from_utf8(&metrics.body).unwrap().contains("\npikvm_atx_power 1\n"));
}

#[tokio::test]
async fn power_follows_the_light_and_is_pressed_once_at_a_time() {
    let house = House::new().await;
    let pressed = || std::mem::take(&mut *house.machine.pressed.lock().unwrap());
    assert_eq!(house.post("/api/atx/power?action=off&wait=1").await.result(), json!({}));
    assert_eq!(house.post("/api/atx/power?action=reset_hard&wait=1").await.result(), json!({}));
    assert!(pressed().is_empty(), "it is off");
    assert_eq!(house.post("/api/atx/power?action=on&wait=1").await.result(), json!({}));
    assert_eq!(house.post("/api/atx/power?action=on&wait=1").await.result(), json!({}));
    assert_eq!(pressed(), [Button::Power]);
    assert_eq!(house.get("/api/atx").await.result()["leds"]["power"], true);

    // At once, and busy until the button is up.
    assert_eq!(house.post("/api/atx/click?button=reset").await.status, 200);
    let atx = house.get("/api/atx").await.result();
    assert_eq!(
        (&atx["busy"], &atx["acts"]["reset"], &atx["acts"]["power"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!(house.post("/api/atx/click?button=power").await.refused(), (409, "AtxIsBusyError".to_owned()));
    house.until("the press", |fake| fake.pressed.lock().unwrap().first().copied()).await;
    sleep(Duration::from_millis(200)).await;
    assert_eq!(house.get("/api/atx").await.result()["busy"], false);
    house.post("/api/atx/power?action=off_hard&wait=1").await.result();
    assert_eq!(pressed(), [Button::Reset, Button::PowerLong]);

    assert_eq!(house.post("/api/atx/power?action=explode").await.refused(), (400, "ValidatorError".to_owned()));
    assert_eq!(house.post("/api/atx/click").await.refused(), (400, "ValidatorError".to_owned()));
    *house.machine.broken.lock().unwrap() = Some("the wire is off".to_owned());
    let refused = house.post("/api/atx/click?button=power&wait=yes").await;
    assert!(refused.status == 500 && refused.json()["result"]["error_msg"] == "the wire is off");
    assert!(String::from_utf8_lossy(&house.get("/api/log").await.body).contains("the wire is off"));
    house.machine.status.send_replace(Status { input: true, ..Status::default() });
    assert_eq!(house.post("/api/atx/power?action=on").await.refused(), (400, "AtxDisabledError".to_owned()));
    assert_eq!(house.post("/api/atx/click?button=power").await.refused(), (400, "AtxDisabledError".to_owned()));
}

#[tokio::test]
async fn keys_become_reports() {
    let house = House::new().await;
    for (path, reports) in [
        ("send_key?key=KeyA", &["0000040000000000", "0000000000000000"][..]),
        ("send_key?key=KeyA&state=1", &["0000040000000000"]),
        ("send_key?key=KeyA&state=0", &["0000000000000000"]),
        ("send_key?key=KeyA&state=true&finish=1", &["0000040000000000", "0000000000000000"]),
        ("send_key?key=ShiftLeft&state=1", &["0200000000000000"]),
        ("send_key?key=ShiftLeft&state=no", &["0000000000000000"]),
        (
            "send_shortcut?keys=ControlLeft,AltLeft,Delete",
            &[
                "0100000000000000",
                "0500000000000000",
                "05004c0000000000",
                "0500000000000000",
                "0100000000000000",
                "0000000000000000",
            ],
        ),
    ] {
        house.machine.forget();
        assert_eq!(house.post(&format!("/api/hid/events/{path}")).await.result(), json!({}), "{path}");
        assert_eq!(house.machine.keyboard(), reports, "{path}");
    }
    for path in [
        "send_key",
        "send_key?key=Nonsense",
        "send_key?key=KeyA&state=x",
        "send_shortcut?keys=",
        "send_shortcut?keys=KeyA,No",
    ] {
        assert_eq!(
            house.post(&format!("/api/hid/events/{path}")).await.refused(),
            (400, "ValidatorError".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_mouse_becomes_reports() {
    let house = House::new().await;
    for (path, reports) in [
        ("send_mouse_move?to_x=0&to_y=0", &["00ff3fff3f0000"][..]),
        ("send_mouse_move?to_x=-32768&to_y=-32768", &["00000000000000"]),
        ("send_mouse_button?button=left&state=1", &["01000000000000"]),
        ("send_mouse_button?button=left&state=0", &["00000000000000"]),
        ("send_mouse_button?button=right", &["02000000000000", "00000000000000"]),
        // Clamped, and never refused.
        ("send_mouse_move?to_x=99999&to_y=0x7fff", &["00ff7fff7f0000"]),
        ("send_mouse_wheel?delta_x=0&delta_y=-5", &["00ff7fff7ffb00"]),
        ("send_mouse_wheel?delta_x=3&delta_y=0", &["00ff7fff7f0003"]),
        ("send_mouse_wheel?delta_x=0&delta_y=1000", &["00ff7fff7f7f00"]),
        ("send_mouse_relative?delta_x=5&delta_y=-6", &[]),
    ] {
        house.machine.forget();
        assert_eq!(house.post(&format!("/api/hid/events/{path}")).await.result(), json!({}), "{path}");
        assert_eq!(house.machine.absolute(), reports, "{path}");
    }
    assert_eq!(house.post("/api/hid/events/send_mouse_button?button=x").await.refused().0, 400);
    assert_eq!(house.post("/api/hid/events/send_mouse_move?to_x=1").await.refused().0, 400);

    // With steps.
    assert_eq!(house.post("/api/hid/set_params?mouse_output=usb_rel&jiggler=1").await.result(), json!({}));
    let hid = house.get("/api/hid").await.result();
    assert_eq!((&hid["mouse"]["absolute"], &hid["mouse"]["outputs"]["active"]), (&json!(false), &json!("usb_rel")));
    assert_eq!(hid["jiggler"]["active"], true);
    house.machine.forget();
    house.post("/api/hid/events/send_mouse_relative?delta_x=5&delta_y=-6").await.result();
    house.post("/api/hid/events/send_mouse_move?to_x=0&to_y=0").await.result();
    assert_eq!((house.machine.relative(), house.machine.absolute()), (vec!["0005fa0000".to_owned()], vec![]));
    // What there is none of is left alone without a word; what is none is refused.
    assert_eq!(house.post("/api/hid/set_params?mouse_output=ps2&keyboard_output=ps2").await.result(), json!({}));
    assert_eq!(house.get("/api/hid").await.result()["mouse"]["outputs"]["active"], "usb_rel");
    assert_eq!(house.post("/api/hid/set_params?mouse_output=cable").await.refused().0, 400);
    assert_eq!(house.post("/api/hid/set_connected?connected=0").await.result(), json!({}));
    house.machine.forget();
    house.post("/api/hid/reset").await.result();
    assert_eq!(house.machine.keyboard(), ["0000000000000000"]);
    assert_eq!((house.machine.absolute().len(), house.machine.relative()), (1, vec!["0000000000".to_owned()]));
}

#[tokio::test]
async fn text_is_typed_by_keymaps() {
    let house = House::new().await;
    let print = async |query: &str, text: &'static str| {
        house.machine.forget();
        let told = house.send(Method::POST, &format!("/api/hid/print?{query}"), SIGNED_IN, text).await;
        (told.status.as_u16(), house.machine.keyboard())
    };
    let long = |short: &[&str]| short.iter().map(|one| format!("{one:0<16}")).collect::<Vec<_>>();
    assert_eq!(
        print("", "aB!\n").await,
        (200, long(&["000004", "0", "02", "020005", "02", "02001e", "02", "0", "000028", "0"]))
    );
    assert_eq!(
        print("keymap=de", "zß@").await,
        (200, long(&["00001c", "0", "00002d", "0", "40", "400014", "40", "0"]))
    );
    // What the keymap lacks is left out; no more than the limit.
    assert_eq!(print("keymap=en-us", "ßa日").await, (200, long(&["000004", "0"])));
    assert_eq!(print("limit=1", "ab").await, (200, long(&["000004", "0"])));
    assert_eq!(print("limit=0&delay=0.001", "ab").await.1.len(), 4);
    assert_eq!(print("keymap=xx", "a").await, (400, vec![]));
    assert_eq!(print("delay=6", "a").await, (400, vec![]));
    assert_eq!(print("limit=-1", "a").await, (400, vec![]));
    let told = house.send(Method::POST, "/api/hid/print", SIGNED_IN, vec![b'a'; (64 << 10) + 1]).await;
    assert_eq!(told.refused().0, 413);
    assert_eq!(house.send(Method::POST, "/api/hid/print", SIGNED_IN, vec![0xff, 0xfe]).await.refused().0, 400);

    // Whoever hangs up half-way leaves no key down.
    house.machine.forget();
    let slow = house.send(Method::POST, "/api/hid/print?delay=5", SIGNED_IN, "ABC");
    tokio::time::timeout(Duration::from_millis(300), slow).await.unwrap_err();
    let last = house
        .until("keys up", |fake| fake.keyboard().last().cloned().filter(|last| last.starts_with("00000000")))
        .await;
    assert_eq!(last, "0000000000000000");
}

#[tokio::test]
async fn pictures_are_there_while_somebody_watches() {
    let house = House::new().await;
    // The streamer does not run; but somebody wants it now.
    let told = house.get("/api/streamer/snapshot").await;
    assert_eq!(told.refused(), (503, "UnavailableError".to_owned()));
    assert_eq!(told.json()["result"]["error_msg"], "Service Unavailable");
    assert!(house.machine.wanted.lock().unwrap().last().unwrap().watching);
    let told = house.get("/api/streamer/snapshot").await;
    assert_eq!((told.status.as_u16(), told.header("content-type")), (200, "image/jpeg"));
    assert_eq!(told.body, picture(640, 480).jpeg);
    assert_eq!((told.header("x-ustreamer-online"), told.header("x-ustreamer-width")), ("true", "640"));
    assert_eq!(told.header("x-ustreamer-grab-timestamp"), "1700000000.123");
    let streamer = house.get("/api/streamer").await.result();
    assert_eq!(streamer["streamer"]["source"]["resolution"], json!({"width": 640, "height": 480}));
    assert_eq!(house.get("/streamer/state").await.result()["source"]["online"], true);

    let small = house
        .get("/api/streamer/snapshot?preview=1&preview_max_width=320&preview_max_height=100&preview_quality=50")
        .await;
    assert_eq!((small.header("x-ustreamer-width"), small.header("x-ustreamer-height")), ("128", "96"));
    assert_eq!(oriel_physical::jpeg::size(&small.body), Some((128, 96)));
    for bad in ["preview=x", "preview=1&preview_quality=0", "preview=1&preview_max_width=-1"] {
        assert_eq!(house.get(&format!("/api/streamer/snapshot?{bad}")).await.refused().0, 400, "{bad}");
    }
    assert_eq!(house.get("/api/streamer/snapshot?ocr=1").await.refused(), (400, "OcrError".to_owned()));

    // Kept, and forgotten.
    assert_eq!(house.get("/api/streamer/snapshot?load=1").await.refused().0, 503);
    assert_eq!(house.get("/api/streamer/snapshot?save=1").await.status, 200);
    house.machine.pictures.send_replace(None);
    assert_eq!(house.get("/api/streamer/snapshot").await.refused().0, 503, "no signal");
    assert_eq!(house.get("/api/streamer/snapshot?load=1").await.body, picture(640, 480).jpeg);
    assert_eq!(house.get("/api/streamer").await.result()["snapshot"]["saved"]["width"], 640);
    let offline = house.get("/api/streamer/snapshot?allow_offline=1").await;
    assert_eq!((offline.status.as_u16(), offline.header("x-ustreamer-online")), (200, "false"));
    assert_eq!(oriel_physical::jpeg::size(&offline.body), Some((640, 480)));
    assert_eq!(house.send(Method::DELETE, "/api/streamer/snapshot", SIGNED_IN, "").await.result(), json!({}));
    assert_eq!(house.get("/api/streamer/snapshot?load=1").await.refused().0, 503);
}

#[tokio::test]
async fn the_stream_can_be_set() {
    let house = House::new().await;
    assert_eq!(house.post("/api/streamer/set_params?quality=40&desired_fps=5").await.result(), json!({}));
    assert_eq!(house.get("/api/streamer").await.result()["params"], json!({"quality": 40, "desired_fps": 5}));
    let wanted = *house.machine.wanted.lock().unwrap().last().unwrap();
    assert_eq!((wanted.quality, wanted.frames_per_second, wanted.watching), (40, 5, false));
    for (query, name) in [
        ("quality=101", "ValidatorError"),
        ("desired_fps=-1", "ValidatorError"),
        ("resolution=640x480", "StreamerResolutionNotSupported"),
        ("h264_bitrate=5000", "StreamerH264NotSupported"),
    ] {
        let refused = house.post(&format!("/api/streamer/set_params?{query}")).await.refused();
        assert_eq!(refused, (400, name.to_owned()), "{query}");
    }
    assert_eq!(house.post("/api/streamer/reset").await.result(), json!({}));

    let house = House::with_video().await;
    let streamer = house.get("/api/streamer").await.result();
    assert_eq!(streamer["features"], json!({"quality": true, "resolution": false, "h264": true}));
    assert_eq!(streamer["limits"]["h264_bitrate"], json!({"min": 25, "max": 20000}));
    assert_eq!(streamer["limits"]["h264_gop"], json!({"min": 0, "max": 60}));
    let params = json!({"quality": 80, "desired_fps": 30, "h264_bitrate": 5000, "h264_gop": 30});
    assert_eq!((&streamer["params"], &streamer["applied"]), (&params, &params));
    assert_eq!(house.post("/api/streamer/set_params?h264_bitrate=0x400&h264_gop=0").await.result(), json!({}));
    let params = json!({"quality": 80, "desired_fps": 30, "h264_bitrate": 1024, "h264_gop": 0});
    assert_eq!(house.get("/api/streamer").await.result()["params"], params);
    let wanted = *house.video().wanted.lock().unwrap().last().unwrap();
    assert_eq!((wanted.kilobits, wanted.gop, wanted.watching), (1024, 0, false));
    for query in ["h264_bitrate=24", "h264_bitrate=20001", "h264_gop=-1", "h264_gop=61", "h264_gop=x"] {
        let refused = house.post(&format!("/api/streamer/set_params?{query}")).await.refused();
        assert_eq!(refused, (400, "ValidatorError".to_owned()), "{query}");
    }
    // A streamer that runs says how it is set.
    house.get("/api/streamer/snapshot").await;
    let streamer = house.get("/streamer/state").await.result();
    assert_eq!(streamer["h264"], json!({"bitrate": 1024, "gop": 0, "online": false, "fps": 0}));
    assert_eq!(streamer["sinks"]["h264"], json!({"has_clients": false}));
    let house = House::new().await;
    for (path, name) in [
        ("switch?channel=relay&state=1", "GpioChannelNotFoundError"),
        ("pulse?channel=relay", "GpioChannelNotFoundError"),
        ("pulse?channel=1x", "ValidatorError"),
        ("switch?channel=relay", "ValidatorError"),
    ] {
        assert_eq!(house.post(&format!("/api/gpio/{path}")).await.refused(), (400, name.to_owned()), "{path}");
    }
}
