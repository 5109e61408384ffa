//! What a BMC that is no good BMC does to the client, and another client to the fake.

use crate::fake::{Fake, Sick};
use crate::{ada, socket};
use oriel_ipmi::{Client, Control, IpmiError, Role, Suite};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

async fn open(fake: &Fake, password: &str) -> Result<Client, IpmiError> {
    Client::open(socket(fake.at).await, &ada(password), Role::Operator).await
}

#[tokio::test]
async fn both_suites() {
    for (sick, suite) in [(Sick::No, Suite::Sha256), (Sick::Old, Suite::Sha1)] {
        let fake = Fake::start(sick).await;
        let mut bmc = open(&fake, "secret").await.unwrap();
        assert_eq!(bmc.suite(), suite);
        bmc.control(Control::On).await.unwrap();
        assert!(bmc.chassis().await.unwrap().on);
        assert!(matches!(bmc.boot().await, Err(IpmiError::Lacks { code: 0xc1, .. })));
        bmc.close().await;
        assert!(matches!(open(&fake, "wrong").await, Err(IpmiError::CredentialsRefused)));
    }
}

/// The fake is what the standard says also to others' eyes: what it proves of our client is worth that much.
#[tokio::test]
async fn another_client_and_the_fake() {
    let fake = Fake::start(Sick::No).await;
    for suite in ["3", "17"] {
        let port = fake.at.port().to_string();
        let mut tool = Command::new("ipmitool");
        tool.kill_on_drop(true).args([
            "-I",
            "lanplus",
            "-H",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "ada",
            "-P",
            "secret",
            "-C",
            suite,
        ]);
        let told = timeout(Duration::from_secs(20), tool.args(["chassis", "power", "status"]).output()).await;
        let told = told.unwrap().expect("Debian's ipmitool");
        let text = String::from_utf8_lossy(&told.stdout);
        assert!(text.contains("Chassis Power is off"), "{suite}: {told:?}");
    }
}

#[tokio::test]
async fn nothing_weaker_is_taken() {
    let fake = Fake::start(Sick::Downgrades).await;
    assert!(matches!(open(&fake, "secret").await, Err(IpmiError::NoSuite)));
    let fake = Fake::start(Sick::Lesser).await;
    assert!(matches!(open(&fake, "secret").await, Err(IpmiError::RoleRefused(Role::Operator))));
    let fake = Fake::start(Sick::WrongProof).await;
    assert!(matches!(open(&fake, "secret").await, Err(IpmiError::CredentialsRefused)));
}

/// Each at the same time: they end by their deadlines.
#[tokio::test]
async fn what_is_not_valid_is_not_heard() {
    let began = Instant::now();
    let lost = async |sick| {
        let fake = Fake::start(sick).await;
        open(&fake, "secret").await.err().unwrap()
    };
    let replayed = async {
        let fake = Fake::start(Sick::Replays).await;
        // The first answer is heard; the second question gets it again.
        let mut bmc = open(&fake, "secret").await.unwrap();
        bmc.chassis().await.err().unwrap()
    };
    let nobody = async {
        let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Client::open(socket(nobody.local_addr().unwrap()).await, &ada("secret"), Role::Operator).await.err().unwrap()
    };
    let (silent, wrong, truncated, replayed, nobody) =
        tokio::join!(lost(Sick::Silent), lost(Sick::WrongCode), lost(Sick::Truncates), replayed, nobody);
    assert!(matches!(silent, IpmiError::Lost), "{silent}");
    assert!(matches!(wrong, IpmiError::Lost), "{wrong}");
    assert!(matches!(truncated, IpmiError::Unreachable(_)), "{truncated}");
    assert!(matches!(replayed, IpmiError::Lost), "{replayed}");
    assert!(matches!(nobody, IpmiError::Unreachable(_)), "{nobody}");
    assert!(began.elapsed() < Duration::from_secs(20));
}
