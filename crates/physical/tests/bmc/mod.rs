//! The client of Redfish against a BMC in memory, over TLS on loopback, with the manners of several makers and with faults.

use super::Met;
use crate::seat::Loopback;
use bytes::Bytes;
use oriel_physical::fake::bmc::{BmcFaults, FakeBmc, Maker};
use oriel_physical::redfish::{ANSWER_BYTES_MAX, BootOnce, Login, Redfish, RedfishOptions};
use oriel_physical::{Button, Click, DeviceError, DeviceKind, PowerAction};
use oriel_pin::HostPin;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const ISO: &str = "https://mirror.example/debian.iso";

fn options() -> RedfishOptions {
    RedfishOptions {
        host: "bmc.example".to_owned(),
        user: "root".to_owned(),
        password: "calvin".into(),
        system: None,
        pin: HostPin::FirstUse,
        keeper: None,
    }
}

fn with(bmc: &FakeBmc, options: RedfishOptions, login: &Arc<Login>) -> Redfish {
    Redfish::new(Arc::new(Loopback(bmc.address())), options, Arc::clone(login))
}

fn client(bmc: &FakeBmc) -> Redfish {
    with(bmc, options(), &Arc::default())
}

async fn bmc(faults: BmcFaults) -> FakeBmc {
    FakeBmc::start(Maker::Idrac, faults).await.unwrap()
}

#[tokio::test]
async fn bmcs_of_several_makers() {
    for maker in [Maker::Idrac, Maker::Ilo, Maker::OpenBmc, Maker::Sushy] {
        let bmc = FakeBmc::start(maker, BmcFaults::default()).await.unwrap();
        let mut client = client(&bmc);
        let overview = client.overview().await.unwrap();
        let board = overview.board.unwrap();
        assert_eq!(
            (overview.kind, overview.version.as_deref()),
            (DeviceKind::Redfish, Some("4.22.00.00")),
            "{maker:?}"
        );
        let power = overview.power.unwrap();
        assert!(!power.on && power.enabled, "{maker:?}");
        assert!(board.has(Button::To(PowerAction::On)) && board.has(Button::Press(Click::Reset)), "{maker:?}");
        assert_eq!(board.media[0].kinds, ["CD", "DVD"], "{maker:?}");
        assert_eq!(board.consoles[0].kind, "graphical", "{maker:?}");

        client.press(Button::To(PowerAction::On)).await.unwrap();
        // Once more does nothing.
        client.press(Button::To(PowerAction::On)).await.unwrap();
        client.press(Button::To(PowerAction::Off)).await.unwrap();
        client.refresh().await.unwrap();
        assert!(!client.known().power.unwrap().on, "{maker:?}");
        let pressed = bmc.world().resets.clone();
        // Where no word asks the system, the button does.
        let soft = if maker == Maker::Ilo { "PushPowerButton" } else { "GracefulShutdown" };
        assert_eq!(pressed, ["On", soft], "{maker:?}");

        let inserted = client.insert(ISO, true, false).await.unwrap().board.unwrap();
        assert_eq!((inserted.media[0].image.as_deref(), inserted.media[0].inserted), (Some(ISO), true), "{maker:?}");
        // What is in it goes first.
        client.insert("https://mirror.example/other.iso", true, false).await.unwrap();
        assert!(bmc.world().image.as_deref().is_some_and(|image| image.ends_with("other.iso")), "{maker:?}");
        let empty = client.eject().await.unwrap().board.unwrap();
        assert_eq!((empty.media[0].image.as_deref(), empty.media[0].inserted), (None, false), "{maker:?}");
        let refused = client.insert(ISO, false, false).await.unwrap_err();
        assert!(refused.to_string().contains("no virtual stick drive"), "{maker:?}: {refused}");

        client.boot_once(BootOnce::Pxe).await.unwrap();
        assert_eq!(bmc.world().boot, ("Pxe".to_owned(), "Once".to_owned()), "{maker:?}");
        client.boot_once(BootOnce::Normal).await.unwrap();
        assert_eq!(bmc.world().boot, ("None".to_owned(), "Disabled".to_owned()), "{maker:?}");
        let logins = bmc.world().logins;
        assert_eq!(logins, u32::from(maker != Maker::Sushy), "{maker:?}: one session, or none where there are none");
    }
}

#[tokio::test]
async fn what_has_no_action_is_changed_by_its_tag() {
    for (maker, strong_tags) in [(Maker::Idrac, false), (Maker::Idrac, true), (Maker::Sushy, false)] {
        let faults = BmcFaults { plain_drive: true, strict_tags: true, strong_tags, ..BmcFaults::default() };
        let bmc = FakeBmc::start(maker, faults).await.unwrap();
        let mut client = client(&bmc);
        client.insert(ISO, true, false).await.unwrap();
        assert_eq!(bmc.world().image.as_deref(), Some(ISO), "{maker:?}");
        client.eject().await.unwrap();
        assert_eq!(bmc.world().image, None, "{maker:?}");
        client.boot_once(BootOnce::Cd).await.unwrap();
        assert_eq!(bmc.world().boot.0, "Cd", "{maker:?}");
    }
}

#[tokio::test]
async fn a_session_is_shared_and_made_anew() {
    let bmc = bmc(BmcFaults::default()).await;
    let login = Arc::default();
    let (mut one, mut other) = (with(&bmc, options(), &login), with(&bmc, options(), &login));
    one.overview().await.unwrap();
    other.overview().await.unwrap();
    assert_eq!(bmc.world().logins, 1);
    // It ran out, and the connections with it.
    bmc.end_sessions();
    bmc.break_connections();
    one.press(Button::To(PowerAction::On)).await.unwrap();
    other.refresh().await.unwrap();
    assert_eq!(bmc.world().logins, 2);
    assert!(other.known().power.unwrap().on);
    // Nothing changed: nothing is sent.
    let before = bmc.world().unchanged;
    other.refresh().await.unwrap();
    other.refresh().await.unwrap();
    assert_eq!(bmc.world().unchanged, before + 2);

    // Other credentials are refused, once each: the BMC may lock the account.
    let wrong = RedfishOptions { password: "wrong".into(), ..options() };
    let asked = bmc.world().requests.len();
    let refused = with(&bmc, wrong, &Arc::default()).overview().await.unwrap_err();
    assert!(matches!(refused, DeviceError::CredentialsRefused), "{refused}");
    assert_eq!(bmc.world().requests.len(), asked + 2);
    // As many are signed in as it takes: each request says who it is from.
    bmc.world().faults.sessions_full = true;
    client(&bmc).overview().await.unwrap();
    assert_eq!(bmc.world().logins, 2);
}

#[tokio::test]
async fn it_is_met_once() {
    let bmc = bmc(BmcFaults::default()).await;
    let met = Arc::new(Met::default());
    let keeper = Some(Arc::clone(&met) as Arc<dyn oriel_pin::Keeper>);
    with(&bmc, RedfishOptions { keeper, ..options() }, &Arc::default()).overview().await.unwrap();
    assert_eq!(*met.0.lock().unwrap(), [bmc.fingerprint().to_string()]);
    let pinned = RedfishOptions { pin: HostPin::Sha256(bmc.fingerprint().0), ..options() };
    let mut client = with(&bmc, pinned, &Arc::default());
    client.overview().await.unwrap();
    // Another one in its place is told nothing.
    bmc.change_certificate().unwrap();
    bmc.break_connections();
    let logins = bmc.world().logins;
    let refused = loop {
        // The old connection may still be there for a moment.
        match client.refresh().await {
            Ok(()) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, DeviceError::IdentityChanged { .. }), "{refused}");
    assert_eq!(bmc.world().logins, logins);
}

#[tokio::test]
async fn what_it_cannot_do_is_said() {
    let bmc = bmc(BmcFaults { without_actions: true, ..BmcFaults::default() }).await;
    let overview = client(&bmc).overview().await.unwrap();
    assert!(!overview.power.unwrap().enabled);
    let refused = client(&bmc).press(Button::To(PowerAction::On)).await.unwrap_err();
    assert!(refused.to_string().contains("offers no power actions"), "{refused}");

    bmc.world().faults = BmcFaults::default();
    let refused = client(&bmc).boot_once(BootOnce::Usb).await.unwrap_err();
    assert!(refused.to_string().contains("its BMC offers None, Pxe"), "{refused}");
    bmc.world().faults.only_looks = true;
    let refused = client(&bmc).press(Button::To(PowerAction::On)).await.unwrap_err();
    assert!(refused.to_string().contains("its account may not do that"), "{refused}");
    bmc.world().faults = BmcFaults { unreachable_image: true, ..BmcFaults::default() };
    let refused = client(&bmc).insert(ISO, true, false).await.unwrap_err();
    assert!(refused.to_string().contains("The image cannot be reached."), "{refused}");

    // One that hangs on its way up can be switched off.
    bmc.world().faults = BmcFaults { hangs: true, ..BmcFaults::default() };
    client(&bmc).press(Button::To(PowerAction::OffHard)).await.unwrap();
    assert_eq!(bmc.world().resets, ["ForceOff"]);

    // Several machines: one has to be named, and may be by what it calls itself.
    bmc.world().faults = BmcFaults::default();
    bmc.world().systems = 3;
    let refused = client(&bmc).overview().await.unwrap_err();
    assert!(refused.to_string().ends_with("System.Embedded.1, blade-1, blade-2"), "{refused}");
    for name in ["blade-2", "name of blade-2"] {
        let named = RedfishOptions { system: Some(name.to_owned()), ..options() };
        let board = with(&bmc, named, &Arc::default()).overview().await.unwrap().board.unwrap();
        assert_eq!(board.system, "blade-2");
    }
    bmc.world().systems = 0;
    let refused = client(&bmc).overview().await.unwrap_err();
    assert!(refused.to_string().contains("no system to power"), "{refused}");
}

#[tokio::test]
async fn a_busy_one_is_waited_for_and_a_slow_one_is_heard() {
    let bmc = bmc(BmcFaults { busy: 1, slow: Some(Duration::from_millis(20)), ..BmcFaults::default() }).await;
    client(&bmc).overview().await.unwrap();
    // As long as it asks is too long for whoever waits for an answer.
    bmc.world().faults = BmcFaults { busy: 9, busy_seconds: 120, ..BmcFaults::default() };
    let asked = bmc.world().requests.len();
    let refused = client(&bmc).overview().await.unwrap_err();
    assert!(matches!(&refused, DeviceError::Busy(why) if why.contains("120 seconds")), "{refused}");
    assert_eq!(bmc.world().requests.len(), asked + 2, "nobody insists");
}

#[tokio::test]
async fn hostile_answers_are_bounded() {
    let bmc = bmc(BmcFaults::default()).await;
    let elsewhere = |target: &str| {
        json!({"PowerState": "Off", "Actions": {"#ComputerSystem.Reset": {"target": target}},
               "Links": {"ManagedBy": [{"@odata.id": target}]}, "VirtualMedia": {"@odata.id": target}})
        .to_string()
    };
    let deep = format!("{{\"PowerState\":{}", "[".repeat(100_000));
    for (hostile, wanted) in [
        ("[]".to_owned(), "no object"),
        ("nonsense".to_owned(), "not valid"),
        (deep, "not valid"),
        (format!("{{\"x\":\"{}\"}}", "x".repeat(ANSWER_BYTES_MAX)), "is longer than"),
    ] {
        bmc.world().faults.hostile = Some(Bytes::from(hostile));
        let refused = client(&bmc).overview().await.unwrap_err();
        assert!(refused.to_string().contains(wanted), "{wanted}: {refused}");
    }
    // Wrong types everywhere are nothing, and what leads elsewhere is not followed.
    bmc.world().faults.hostile = Some(Bytes::from(json!({"PowerState": 7, "Boot": [], "Actions": "x"}).to_string()));
    assert_eq!(client(&bmc).overview().await.unwrap().power, None);
    for target in [
        "https://elsewhere.example/redfish/v1/x",
        "//elsewhere.example/",
        "/etc/passwd",
        "/redfish/../x",
        "/redfish/v1/\r\nX: y",
    ] {
        bmc.world().faults.hostile = Some(Bytes::from(elsewhere(target)));
        client(&bmc).overview().await.unwrap();
        client(&bmc).press(Button::To(PowerAction::On)).await.unwrap();
        let strange = bmc.world().requests.iter().any(|asked| asked.contains("elsewhere") || asked.contains("passwd"));
        assert!(!strange, "{target}");
    }
}
