//! What a machine is told, what it may say to a connection, and what becomes of it: heard on the way to real servers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used, reason = "a test")]

mod support;

use ironrdp_connector::sspi::credssp::{CredSspServer, CredentialsProxy, ServerMode, ServerState, TsRequest};
use ironrdp_connector::sspi::generator::GeneratorState;
use ironrdp_connector::sspi::ntlm::NtlmConfig;
use ironrdp_connector::sspi::{AuthIdentity, Username};
use ironrdp_pdu::nego::{ConnectionRequest, SecurityProtocol};
use ironrdp_pdu::pcb::PreconnectionBlob;
use ironrdp_pdu::rdp::client_info::{ClientAutoReconnect, ClientInfoFlags, PerformanceFlags};
use ironrdp_pdu::rdp::server_redirection::{ServerRedirectionFlags, ServerRedirectionPdu, TargetCertificateContainer};
use ironrdp_pdu::x224::X224;
use oriel_pin::HostPin;
use oriel_rdp::{
    ConnectError, Continuation, GatewayOptions, Looks, Preconnection, Program, RdpOptions, Security, SessionOptions,
    TimeZone,
};
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use std::time::Duration;
use support::client::Client;
use support::gateway::{Gateway, Manner, TwoChannels};
use support::shadow::Shadow;
use support::witness::{ServerAutoReconnect, Witness, Word};
use support::xrdp::Xrdp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

/// FreeRDP's server behind a witness, and how to get there.
async fn farm() -> (Shadow, Witness, RdpOptions) {
    let server = Shadow::open();
    let witness = Witness::start("127.0.0.1:0", server.port, Some(server.pin)).await;
    let options = RdpOptions {
        certificate: HostPin::Sha256(witness.pin()),
        security: Security::Tls,
        pipeline: oriel_rdp::Pipeline::Pixels,
        ..server.options("geheim")
    };
    (server, witness, options)
}

async fn refused(witness: &Witness, options: &RdpOptions) -> ConnectError {
    match Client::connect(witness.port, options.clone()).await {
        Err(error) => error,
        Ok(_) => panic!("connected"),
    }
}

#[tokio::test]
async fn what_the_machine_is_told() {
    let (_server, witness, options) = farm().await;
    let looks = Looks { wallpaper: false, theming: false, menu_animations: true, ..Looks::default() };
    let session = SessionOptions {
        looks,
        program: Some(Program { command: "ledger.exe /year 2026".into(), folder: "C:\\Accounts".into() }),
        remote_app: None,
        admin: true,
        time_zone: TimeZone::named("Europe/Berlin", jiff::Timestamp::now()),
        load_balance: Some("tsv://MS Terminal Services Plugin.1.Farm".into()),
        preconnection: Some(Preconnection { id: 7, blob: Some("b85d3d4c".into()) }),
        follow: false,
    };
    let options = RdpOptions { session, client_name: "front-desk-of-the-house".into(), ..options };
    let mut client = Client::connect(witness.port, options).await.unwrap();
    client.pump(Duration::from_secs(1)).await;
    assert!(client.ended.is_none(), "{:?}", client.ended);
    let heard = witness.heard().remove(0);
    let blob: PreconnectionBlob = ironrdp_core::decode(&heard.preconnection).unwrap();
    assert_eq!((blob.id, blob.v2_payload.as_deref()), (7, Some("b85d3d4c")));
    let text = String::from_utf8_lossy(&heard.request);
    assert!(text.contains("tsv://MS Terminal Services Plugin.1.Farm\r\n") && !text.contains("mstshash"), "{text}");
    let info = heard.info.clone().unwrap();
    assert_eq!((info.alternate_shell.as_str(), info.work_dir.as_str()), ("ledger.exe /year 2026", "C:\\Accounts"));
    let told = info.extra_info.optional_data;
    assert_eq!(
        told.performance_flags(),
        Some(
            PerformanceFlags::DISABLE_WALLPAPER
                | PerformanceFlags::DISABLE_THEMING
                | PerformanceFlags::DISABLE_FULLWINDOWDRAG
                | PerformanceFlags::ENABLE_FONT_SMOOTHING
        )
    );
    let zone = told.timezone().unwrap();
    assert_eq!((zone.bias, zone.daylight_bias, zone.standard_date.0.is_some()), (-60, -60, true));
    // Client Cluster Data (MS-RDPBCGR 2.2.1.3.5): redirection is known in its version 6, and session 0 is wanted.
    assert!(heard.contains(&[4, 0xc0, 12, 0, 0x17, 0, 0, 0, 0, 0, 0, 0]));
    let name: Vec<u8> = "front-desk-of-t\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(heard.contains(&name));
    // The general capabilities say that a broken connection is taken up again.
    let at = heard.frames.windows(4).position(|window| window == [1, 0, 24, 0]).unwrap();
    assert_eq!(heard.frames[at + 14] & 8, 8);
}

fn redirection() -> ServerRedirectionPdu {
    ServerRedirectionPdu { session_id: 5, flags: ServerRedirectionFlags::empty(), ..ServerRedirectionPdu::default() }
}

#[tokio::test]
async fn a_machine_sends_the_connection_on() {
    let (server, witness, options) = farm().await;
    // Nobody allowed it.
    let elsewhere = ServerRedirectionPdu { target_fqdn: Some("next.example".into()), ..redirection() };
    witness.say([Word { redirect: Some(elsewhere.clone()), ..Word::default() }]);
    let error = refused(&witness, &options).await;
    assert!(matches!(error, ConnectError::Redirected) && error.to_string().contains("follow_redirection"), "{error}");

    let session = SessionOptions { follow: true, load_balance: Some("farm".into()), ..SessionOptions::default() };
    let options = RdpOptions { session, ..options };
    // To another machine, by every name that it has.
    let named = ServerRedirectionPdu {
        target_net_addresses: Some(vec!["192.0.2.1".into(), "192.0.2.2".into(), "192.0.2.3".into()]),
        target_net_address: Some("192.0.2.1".into()),
        ..elsewhere
    };
    witness.say([Word { redirect: Some(named), ..Word::default() }]);
    assert!(matches!(refused(&witness, &options).await, ConnectError::SentOn));
    assert_eq!(options.continuation.hosts(), ["next.example", "192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert!(options.continuation.take_redirected() && !options.continuation.take_redirected());

    // By a token, through the same address; with an account, a cookie for its password, and the certificate that will be shown.
    let other = Witness::start("127.0.0.1:0", server.port, Some(server.pin)).await;
    let token = ServerRedirectionPdu {
        load_balance_info: Some(b"Cookie: msts=3640205228.15629.0000\r\n".to_vec()),
        username: Some("bertha".into()),
        domain: Some("FARM".into()),
        password: Some(vec![1, 0xd8, 2, 3]),
        target_certificate: Some(TargetCertificateContainer::from_certificate_der(other.certificate.clone())),
        ..redirection()
    };
    let options = RdpOptions { continuation: Continuation::default(), ..options };
    witness.say([Word { redirect: Some(token), ..Word::default() }]);
    assert!(matches!(refused(&witness, &options).await, ConnectError::SentOn));
    assert!(options.continuation.hosts().is_empty());
    // Not who it was announced to be, though it is who the machine was.
    assert!(matches!(refused(&witness, &options).await, ConnectError::CertificateChanged { .. }));
    let mut client = Client::connect(other.port, options.clone()).await.unwrap();
    client.pump(Duration::from_secs(1)).await;
    assert!(client.ended.is_none(), "{:?}", client.ended);
    let heard = other.heard().remove(0);
    let text = String::from_utf8_lossy(&heard.request);
    assert!(text.contains("Cookie: msts=3640205228.15629.0000\r\n") && !text.contains("farm"), "{text}");
    // RedirectedSessionID is 5.
    assert!(heard.contains(&[4, 0xc0, 12, 0, 0x17, 0, 0, 0, 5, 0, 0, 0]));
    let info = heard.info.unwrap();
    assert_eq!((info.credentials.username.as_str(), info.credentials.domain.as_deref()), ("bertha", Some("FARM")));
    assert_eq!(info.password_cookie.map(|cookie| cookie.0), Some(vec![1, 0xd8, 2, 3]));

    // Round and round.
    let again = || Word { redirect: Some(redirection()), ..Word::default() };
    let options = RdpOptions { continuation: Continuation::default(), ..options };
    witness.say((0..=oriel_rdp::REDIRECTIONS_MAX).map(|_| again()));
    for _ in 0..oriel_rdp::REDIRECTIONS_MAX {
        assert!(matches!(refused(&witness, &options).await, ConnectError::SentOn));
    }
    let error = refused(&witness, &options).await.to_string();
    assert!(error.contains("more than 5 times"), "{error}");
    // And in the middle of a session.
    let options = RdpOptions { continuation: Continuation::default(), ..options };
    witness.say([Word { redirect_late: Some(redirection()), ..Word::default() }]);
    let mut client = Client::connect(witness.port, options.clone()).await.unwrap();
    client.pump_until(Duration::from_secs(5), |client| client.ended.is_some()).await;
    let end = client.ended.unwrap().to_string();
    assert!(end.contains("redirected") && options.continuation.take_redirected(), "{end}");
}

#[tokio::test]
async fn a_broken_connection_is_taken_up_again() {
    let (_server, witness, options) = farm().await;
    let cookie = ServerAutoReconnect { logon_id: 3, random_bits: [0x5a; 16] };
    witness.say([Word { cookie: Some(cookie.clone()), ..Word::default() }]);
    let mut client = Client::connect(witness.port, options.clone()).await.unwrap();
    let kept = options.continuation.clone();
    assert!(client.pump_until(Duration::from_secs(5), |_| kept.has_cookie()).await);
    assert!(!format!("{:?}", options.continuation).contains("90"), "a cookie is a secret");
    drop(client);
    let client = Client::connect(witness.port, options).await.unwrap();
    drop(client);
    let heard = witness.heard();
    let packet = |at: usize| heard[at].info.as_ref().unwrap().extra_info.optional_data.auto_reconnect().cloned();
    assert_eq!(packet(0), None);
    let packet: ClientAutoReconnect = packet(1).unwrap();
    assert!(packet.verify(&cookie));
    assert!(heard[1].info.as_ref().unwrap().flags.contains(ClientInfoFlags::AUTOLOGON));
}

#[tokio::test]
async fn one_program_instead_of_the_desktop() {
    // Were the desktop started, the screen would be green.
    let server = Xrdp::start("xsetroot -solid '#00ff00'\nwait\nsleep 60");
    let script = server.account.home.join("program.sh");
    std::fs::write(&script, "#!/bin/sh\npwd > \"$HOME/where\"\nxsetroot -solid '#0000ff'\nsleep 60\n").unwrap();
    support::run(std::process::Command::new("chmod").arg("755").arg(&script));
    let program = Program { command: script.display().to_string(), folder: "/usr".into() };
    let session = SessionOptions { program: Some(program), ..SessionOptions::default() };
    let options = RdpOptions { session, ..server.options(800, 600, "us") };
    let mut client = Client::connect(server.port, options).await.unwrap();
    let where_file = server.account.home.join("where");
    let blue = |client: &mut Client| {
        use oriel_screen::Source as _;
        let screen = client.source.framebuffer();
        let middle = screen.row(400, 300, 1).to_vec();
        middle.iter().take(3).filter(|part| **part > 200).count() == 1 && middle.get(1).is_some_and(|green| *green < 50)
    };
    let seen = client.pump_until(Duration::from_secs(30), blue).await;
    assert!(seen, "{}", server.logs());
    assert_eq!(std::fs::read_to_string(where_file).unwrap().trim(), "/usr");
}

struct Anna;

impl CredentialsProxy for Anna {
    type AuthenticationData = AuthIdentity;

    fn auth_data_by_user(&mut self, username: &Username) -> std::io::Result<AuthIdentity> {
        assert_eq!(username.account_name(), "anna");
        Ok(AuthIdentity { username: username.clone(), password: "geheim".to_owned().into() })
    }

    fn auth_data(&mut self) -> std::io::Result<Vec<AuthIdentity>> {
        self.auth_data_by_user(&Username::new("anna", None).unwrap()).map(|identity| vec![identity])
    }
}

/// No Hyper-V can be had here: a server of our own that does what the specifications say of its port 2179, in their order.
/// MS-RDPEPS 2.2.1, then MS-RDPBCGR 5.4.2.2: TLS, CredSSP (MS-CSSP), and the negotiation inside of it.
#[tokio::test]
async fn a_console_of_hyper_v() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let made = rcgen::generate_simple_self_signed(vec!["hyper-v".to_owned()]).unwrap();
    let pin = oriel_pin::Fingerprint::of(made.cert.der()).0;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let public = made.signing_key.public_key_raw().to_vec();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let size = stream.read_u32_le().await.unwrap();
        let mut message = size.to_le_bytes().to_vec();
        message.resize(size as usize, 0);
        stream.read_exact(&mut message[4..]).await.unwrap();
        let blob: PreconnectionBlob = ironrdp_core::decode(&message).unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
        let mode = ServerMode::Ntlm(NtlmConfig::new("hyper-v".to_owned()));
        let mut credssp = CredSspServer::new(public, Anna, mode).unwrap();
        let mut have = Vec::new();
        let identity = loop {
            let request = loop {
                have.push(stream.read_u8().await.unwrap());
                if let Ok(length) = TsRequest::read_length(&have[..])
                    && have.len() >= length
                {
                    break TsRequest::from_buffer(&std::mem::take(&mut have)).unwrap();
                }
            };
            let state = match credssp.process(request).start() {
                GeneratorState::Completed(state) => state.map_err(|error| error.error).unwrap(),
                GeneratorState::Suspended(_) => panic!("NTLM asks nobody"),
            };
            match state {
                ServerState::ReplyNeeded(reply) => {
                    let mut bytes = Vec::new();
                    reply.encode_ts_request(&mut bytes).unwrap();
                    stream.write_all(&bytes).await.unwrap();
                }
                ServerState::Finished(identity) => break identity,
            }
        };
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.unwrap();
        let mut request = head.to_vec();
        request.resize(usize::from(u16::from_be_bytes([head[2], head[3]])), 0);
        stream.read_exact(&mut request[4..]).await.unwrap();
        let X224(request) = ironrdp_core::decode::<X224<ConnectionRequest>>(&request).unwrap();
        // X.224 Connection Confirm: PROTOCOL_HYBRID.
        stream.write_all(&[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 2, 0, 0, 0]).await.unwrap();
        // The session begins: MCS Connect Initial (T.125, BER application tag 101) in X.224 data.
        let mut first = [0; 9];
        stream.read_exact(&mut first).await.unwrap();
        (blob, identity, request.protocol, first)
    });
    let guid = "b85d3d4c-7f1a-4f62-8e9d-1a5b1f3f5c11";
    let session = SessionOptions {
        preconnection: Some(Preconnection { id: 0, blob: Some(guid.into()) }),
        ..SessionOptions::default()
    };
    let options = RdpOptions {
        user: "anna".into(),
        password: "geheim".to_owned().into(),
        domain: None,
        width: 800,
        height: 600,
        scale: 100,
        monitors: None,
        keyboard: "us".into(),
        certificate: HostPin::Sha256(pin),
        keeper: None,
        security: Security::VmConnect,
        kerberos: None,
        client_name: "oriel".into(),
        pipeline: oriel_rdp::Pipeline::Off,
        devices: oriel_rdp::Devices::default(),
        drive: None,
        session,
        gateway: None,
        continuation: Continuation::default(),
    };
    let outcome = Client::connect(port, options).await;
    let (blob, identity, protocol, first) = server.await.unwrap();
    assert_eq!((blob.id, blob.v2_payload.as_deref()), (0, Some(guid)));
    assert_eq!((identity.username.account_name(), identity.password.as_ref().as_str()), ("anna", "geheim"));
    assert_eq!(protocol, SecurityProtocol::HYBRID);
    assert_eq!(&first[4..], [2, 0xf0, 0x80, 0x7f, 0x65]);
    let Err(error) = outcome else { panic!("no session was there") };
    assert!(error.to_string().contains("session set-up"), "{error}");
}

/// The same machine, by a gateway that calls it `desk.inside`.
fn behind(gateway: &Gateway, options: &RdpOptions) -> RdpOptions {
    let gateway = GatewayOptions {
        name: "gateway.example".into(),
        host: "desk.inside".into(),
        port: 3390,
        user: "olga".into(),
        password: "offen".to_owned().into(),
        domain: Some("EDGE".into()),
        certificate: HostPin::Sha256(gateway.pin),
        way: Some(gateway.way()),
    };
    RdpOptions { gateway: Some(gateway), ..options.clone() }
}

#[tokio::test]
async fn a_machine_behind_a_gateway() {
    let server = Shadow::open();
    let options =
        RdpOptions { pipeline: oriel_rdp::Pipeline::Pixels, security: Security::Tls, ..server.options("geheim") };
    let painted = |client: &mut Client| client.events.contains(&oriel_screen::ScreenEvent::FrameEnd);
    // NTLM, and then whatever the gateway has.
    for basic in [None, Some("EDGE\\olga:offen".to_owned())] {
        let gateway = Gateway::start(server.port, Manner { basic: basic.clone(), ..Manner::default() }).await;
        let options = behind(&gateway, &options);
        let mut client = Client::connect(gateway.port, options.clone()).await.unwrap();
        assert!(client.pump_until(Duration::from_secs(20), painted).await, "{:?}", client.ended);
        let said = gateway.said();
        let request = &said[0];
        assert!(
            request.starts_with("RDG_OUT_DATA /remoteDesktopGateway/ HTTP/1.1\r\nHost: gateway.example\r\n"),
            "{request}"
        );
        assert!(request.contains("\r\nAuthorization: NTLM TlRMTVNTUAAB"), "{request}");
        let last: Vec<&str> = said.iter().rev().take(2).map(String::as_str).collect();
        assert_eq!(last, ["desk.inside:3390", "oriel-test"]);
        if basic.is_none() {
            assert!(said.iter().any(|said| said.starts_with("NTLMSSP") && said.contains("EDGEolga")), "{said:?}");
        }
        if basic.is_some() {
            // Whoever answers first does not get the password itself.
            let mut first = options.clone();
            if let Some(gateway) = &mut first.gateway {
                gateway.certificate = HostPin::FirstUse;
            }
            let Err(error) = Client::connect(gateway.port, first).await else { panic!("connected") };
            assert!(error.to_string().contains("first use"), "{error}");
        }
        let mut wrong = options.clone();
        if let Some(gateway) = &mut wrong.gateway {
            gateway.certificate = HostPin::Sha256([7; 32]);
        }
        let before = gateway.said().len();
        let Err(error) = Client::connect(gateway.port, wrong).await else { panic!("connected") };
        assert!(matches!(error, ConnectError::GatewayChanged { .. }), "{error}");
        assert_eq!(gateway.said().len(), before, "who is somebody else is told nothing");
    }
    // Without WebSockets: an old one, one behind a proxy, and one that sends its packets at once.
    let old = TwoChannels { seed: 10, ..TwoChannels::default() };
    let proxied =
        TwoChannels { upgrade: Some("426 Upgrade Required"), seed: 100, chunked: true, ..TwoChannels::default() };
    let account = Some("EDGE\\olga:offen".to_owned());
    for (channels, basic) in [(old, None), (proxied, account), (TwoChannels::default(), None)] {
        let manner = Manner { basic, channels: Some(channels), ..Manner::default() };
        let gateway = Gateway::start(server.port, manner).await;
        let mut client = Client::connect(gateway.port, behind(&gateway, &options)).await.unwrap();
        assert!(client.pump_until(Duration::from_secs(20), painted).await, "{channels:?} {:?}", client.ended);
        let said = gateway.said();
        let of = |method: &str| said.iter().filter(|said| said.starts_with(method)).count();
        assert!(of("RDG_OUT_DATA ") > 0 && of("RDG_IN_DATA ") > 0, "{said:?}");
        let last: Vec<&str> = said.iter().rev().take(2).map(String::as_str).collect();
        assert_eq!(last, ["desk.inside:3390", "oriel-test"]);
    }
}

#[tokio::test]
async fn why_a_gateway_does_not_lead_to_the_machine() {
    let options = |gateway: &Gateway| {
        let options = RdpOptions {
            user: "anna".into(),
            password: "geheim".to_owned().into(),
            domain: None,
            width: 800,
            height: 600,
            scale: 100,
            monitors: None,
            keyboard: "us".into(),
            certificate: HostPin::FirstUse,
            keeper: None,
            security: Security::Any,
            kerberos: None,
            client_name: "oriel".into(),
            pipeline: oriel_rdp::Pipeline::Off,
            devices: oriel_rdp::Devices::default(),
            drive: None,
            session: SessionOptions::default(),
            gateway: None,
            continuation: Continuation::default(),
        };
        behind(gateway, &options)
    };
    let refused = async |manner: Manner| {
        // Nothing listens there: nobody gets so far.
        let gateway = Gateway::start(9, manner).await;
        match Client::connect(gateway.port, options(&gateway)).await {
            Err(error) => error,
            Ok(_) => panic!("connected"),
        }
    };
    for (step, code) in [(2, 0x8009_030c), (5, 0x8007_59db), (7, 0x59da)] {
        let error = refused(Manner { refuses: Some((step, code)), ..Manner::default() }).await;
        assert!(matches!(error, ConnectError::GatewayRefused(_)), "{step} {error}");
    }
    let error = refused(Manner { refuses: Some((9, 0x8007_59dd)), ..Manner::default() }).await;
    assert!(matches!(error, ConnectError::Gateway(_)) && error.to_string().contains("does not reach"), "{error}");
    let error = refused(Manner { basic: Some("EDGE\\olga:other".into()), ..Manner::default() }).await;
    assert!(matches!(error, ConnectError::GatewayRefused(_)), "{error}");
    for (status, word) in [("200 OK", "WebSockets"), ("404 Not Found", "no RD Gateway"), ("500 Oh", "500")] {
        let error = refused(Manner { status: Some(status), ..Manner::default() }).await;
        assert!(matches!(error, ConnectError::Gateway(_)) && error.to_string().contains(word), "{error}");
    }
    // Its two channels say the same, and have reasons of their own.
    let old = TwoChannels { seed: 10, ..TwoChannels::default() };
    let manner = Manner { channels: Some(old), ..Manner::default() };
    let error = refused(Manner { refuses: Some((7, 0x59da)), ..manner.clone() }).await;
    assert!(matches!(error, ConnectError::GatewayRefused(_)), "{error}");
    let astray = Manner { channels: Some(TwoChannels { astray: true, ..old }), ..Manner::default() };
    let error = refused(astray).await;
    assert!(matches!(error, ConnectError::Gateway(_)) && error.to_string().contains("same one"), "{error}");
    let gateway = Gateway::start(9, manner).await;
    let other = Gateway::start(9, Manner::default()).await;
    let refused = async |way| {
        let mut options = options(&gateway);
        if let Some(through) = &mut options.gateway {
            through.way = way;
        }
        match Client::connect(gateway.port, options).await {
            Err(error) => error,
            Ok(_) => panic!("connected"),
        }
    };
    let error = refused(Some(other.way())).await;
    assert!(matches!(error, ConnectError::GatewayChanged { .. }), "{error}");
    assert!(other.said().is_empty(), "who is somebody else is told nothing");
    assert!(refused(None).await.to_string().contains("WebSockets"));
}
