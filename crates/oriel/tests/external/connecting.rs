//! Machines that are woken, and machines that send a connection on.

use super::{at, furnish, has_picture};
use crate::house::House;
use crate::servers::{self, Shadow, Tiger};
use ironrdp_pdu::rdp::server_redirection::{ServerRedirectionPdu, TargetCertificateContainer};
use oriel_screen::StatusCode;
use oriel_screen::wire::ServerRecord;
use serde_json::json;

#[path = "../../../rdp/tests/support/witness.rs"]
#[allow(dead_code, clippy::pedantic, reason = "shared with the tests of crates/rdp")]
mod witness;

use witness::{ServerAutoReconnect, Witness, Word};

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_sleeps_is_woken() {
    let house = House::new("127.0.0.0/8");
    furnish(&house);
    let port = servers::free_port();
    let card = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let wakes = card.local_addr().unwrap().port().to_string();
    let add = ["machine", "add", "office", "--name", "kiosk", "--protocol", "vnc", "--address", &at(port)];
    let wake = ["--wake-mac", "52:54:00:12:34:56", "--wake-port", &wakes, "--wake-seconds", "50"];
    // Nobody wakes who knows where: the address is held to what may be dialled.
    let refused = house.ask(&[&add[..], &wake, &["--wake-broadcast", "255.255.255.255"]].concat()).unwrap_err();
    assert!(refused.contains("reserved address"), "{refused}");
    let wake = [&wake[..], &["--wake-broadcast", "127.255.255.255", "--password-file", "-"]].concat();
    house.ask_with(&[&add[..], &wake].concat(), "s3cret!").unwrap();
    // The machine: asleep until the packet comes, and then it takes its time.
    let machine = std::thread::spawn(move || {
        let mut packet = [0; 256];
        let count = card.recv(&mut packet).unwrap();
        assert_eq!(
            (count, &packet[..6], &packet[96..102]),
            (102, &[0xff; 6][..], &[0x52, 0x54, 0, 0x12, 0x34, 0x56][..])
        );
        std::thread::sleep(std::time::Duration::from_secs(4));
        Tiger::start_at(port)
    });
    let ada = house.sign_in("ada").await;
    let mut viewer = ada.open("kiosk").await;
    let waking = |record: &ServerRecord| matches!(record, ServerRecord::Status { code: StatusCode::WaitingForMachine, text } if text.contains("waking"));
    viewer.until("sign that it is woken", |records| records.iter().any(waking)).await;
    viewer.until("picture", has_picture).await;
    let tiger = machine.join().unwrap();
    // Awake, nothing is sent; and one that does not wake is not waited for longer than was said.
    let records = ada.open("kiosk").await.until("picture", has_picture).await;
    assert!(!records.iter().any(waking));
    drop(tiger);
    house.tell(&["machine", "set", "kiosk", "--wake-seconds", "2"]);
    let end = ada.open("kiosk").await.ends().await;
    assert!(end.starts_with("Unreachable: ") && end.contains("did not wake up within 2 seconds"), "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farm_sends_people_on() {
    let (house, tiger) = (House::new("127.0.0.0/8"), Tiger::start());
    let shadow = Shadow::open(&tiger.display);
    furnish(&house);
    // A broker of connections, and a machine of its farm: the same port, as Windows has it.
    let broker = Witness::start("127.0.0.1:0", shadow.port, None).await;
    let member = Witness::start(&format!("127.0.0.2:{}", broker.port), shadow.port, None).await;
    let redirection = |host: &str| ServerRedirectionPdu {
        target_net_address: Some(host.to_owned()),
        target_certificate: Some(TargetCertificateContainer::from_certificate_der(member.certificate.clone())),
        ..ServerRedirectionPdu::default()
    };
    let redirect = |host: &str| [Word { redirect: Some(redirection(host)), ..Word::default() }];
    let add = ["machine", "add", "office", "--name", "farm", "--protocol", "rdp", "--address", &at(broker.port)];
    let account = ["--user", "anna", "--security", "tls", "--password-file", "-"];
    house.ask_with(&[&add[..], &account].concat(), "geheim").unwrap();
    let ada = house.sign_in("ada").await;
    broker.say(redirect("127.0.0.2"));
    let end = ada.open("farm").await.ends().await;
    assert!(end.contains("follow_redirection"), "nobody allowed it: {end}");

    house.tell(&["machine", "set", "farm", "--load-balance-info", "tsv://farm", "--password-file", "/dev/null"]);
    broker.say(redirect("127.0.0.2"));
    ada.open("farm").await.until("picture", has_picture).await;
    assert_eq!((member.heard().len(), broker.heard().len()), (1, 2));
    // It is the broker that is kept, not where it led to.
    let kept = house.json(&["machine", "show", "farm"])["identity"].clone();
    assert_eq!(kept, json!(oriel_pin::Fingerprint(broker.pin()).to_string()));
    // In the middle of a session, too. Whoever opens it again within a minute gets the session that is still there: it ends first.
    let end_sessions = || {
        for session in house.json(&["session", "list"])["sessions"].as_array().unwrap() {
            house.tell(&["session", "end", session["id"].as_str().unwrap()]);
        }
    };
    end_sessions();
    broker.say([Word { redirect_late: Some(redirection("127.0.0.2")), ..Word::default() }]);
    let mut viewer = ada.open("farm").await;
    viewer.until("picture", has_picture).await;
    let begin = std::time::Instant::now();
    while member.heard().len() < 2 {
        assert!(begin.elapsed() < std::time::Duration::from_secs(20));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    viewer.until("picture of the other machine", has_picture).await;
    // What it says is held to the addresses that may be dialled, like what somebody enters.
    for (host, words) in [
        ("10.1.2.3", "may not dial"),
        ("169.254.169.254", "may not dial"),
        ("file:///etc/passwd", "neither an address"),
    ] {
        end_sessions();
        broker.say(redirect(host));
        let end = ada.open("farm").await.ends().await;
        assert!(end.contains(words), "{host}: {end}");
    }
    assert_eq!(member.heard().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_its_connection() {
    let (house, tiger) = (House::new("127.0.0.0/8"), Tiger::start());
    let shadow = Shadow::open(&tiger.display);
    furnish(&house);
    let way = Witness::start("127.0.0.1:0", shadow.port, None).await;
    let add = ["machine", "add", "office", "--name", "desk", "--protocol", "rdp", "--address", &at(way.port)];
    house.tell(&[&add[..], &["--user", "anna", "--security", "tls"]].concat());
    let cookie = ServerAutoReconnect { logon_id: 9, random_bits: [7; 16] };
    way.say([Word { cookie: Some(cookie.clone()), breaks: true, ..Word::default() }]);
    let ada = house.sign_in("ada").await;
    let mut viewer = ada.open("desk").await;
    viewer.until("picture", has_picture).await;
    // The connection to the machine breaks; the person's does not, and the machine hears whose session is taken up again.
    viewer.until("picture once more", has_picture).await;
    let heard = way.heard();
    assert_eq!(heard.len(), 2);
    let said = heard[1].info.as_ref().unwrap().extra_info.optional_data.auto_reconnect().unwrap();
    assert!(said.verify(&cookie));
}
