//! From a byte stream to a session.

use crate::clipboard::Clipboard;
use crate::continuation::Continuation;
use crate::drive::{MachineSide, Rdpdr};
use crate::error::ConnectError;
use crate::gateway::GatewayOptions;
use crate::graphics::Graphics;
use crate::handshake::{credssp, direct, say, step};
use crate::layout::windows_layout;
use crate::microphone::Microphone;
use crate::options::{Devices, Pipeline, RdpOptions, Security};
use crate::rail::Rail;
use crate::session::SessionOptions;
use crate::sound::Player;
use crate::source::RdpSource;
use crate::touch::Touch;
use crate::zone::TimeZone;
use crate::{gateway, microphone, sound, tls, touch};
use ironrdp_cliprdr::CliprdrClient;
use ironrdp_connector::{
    BitmapConfig, ClientConnector, ClientConnectorState, Config, ConnectionOutcome, Credentials, DesktopSize,
};
use ironrdp_displaycontrol::client::DisplayControlClient;
use ironrdp_dvc::DrdynvcClient;
use ironrdp_pdu::gcc::{ConnectionType, KeyboardType};
use ironrdp_pdu::nego::SecurityProtocol;
use ironrdp_pdu::rdp::capability_sets::{MajorPlatformType, RailSupportLevel, client_codecs_capabilities};
use ironrdp_pdu::rdp::client_info::TimezoneInfo;
use ironrdp_rdpsnd::client::Rdpsnd;
use oriel_pin::{Fingerprint, HostPin, Keeper};
use secrecy::{ExposeSecret as _, SecretString};
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long the whole handshake may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a session runs over once it is connected.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where the handshake is, for the text of a time-out.
const STAGES: [&str; 5] = ["negotiation", "TLS", "CredSSP", "session set-up", "RD Gateway"];

/// Opens a session. The returned stream carries the session's bytes from its first one: the handshake reads none of
/// them, so there is nothing left over to hand on.
pub async fn connect<S>(stream: S, options: RdpOptions) -> Result<(Box<dyn Stream>, RdpSource), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let at = AtomicUsize::new(0);
    let stage = || STAGES.get(at.load(Ordering::Relaxed)).copied().unwrap_or_default();
    let mut work = pin!(establish(Box::new(stream), &options, &at));
    // A panic in a decoder is this connection's error, not its task's end.
    let contained = poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))).unwrap_or_else(|_| {
            Poll::Ready(Err(ConnectError::Protocol {
                stage: stage(),
                what: "a message that cannot be decoded".to_owned(),
            }))
        })
    });
    let outcome = tokio::time::timeout(CONNECT_TIMEOUT, contained).await;
    outcome.unwrap_or_else(|_| Err(ConnectError::TimedOut { seconds: CONNECT_TIMEOUT.as_secs(), stage: stage() }))
}

/// The certificate that the machine shows, asked for before anything is told to it: no account and no password is sent. The stream is
/// used up. The caller bounds the time. `security` and `session` are what leads to the machine; a gateway on the way is signed in to, and
/// told to `keeper` where it is met for the first time.
///
/// # Errors
/// As [`connect`].
pub async fn identity<S>(
    stream: S,
    security: Security,
    session: SessionOptions,
    gateway: Option<GatewayOptions>,
    keeper: Option<Arc<dyn Keeper>>,
) -> Result<Fingerprint, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let options = RdpOptions {
        user: String::new(),
        password: SecretString::default(),
        domain: None,
        width: 1024,
        height: 768,
        scale: 100,
        monitors: None,
        keyboard: "us".to_owned(),
        // No certificate has the SHA-256 of zeros: the handshake ends where one would be accepted.
        certificate: HostPin::Sha256([0; 32]),
        keeper,
        security,
        // Nobody is signed in.
        kerberos: None,
        client_name: "oriel".to_owned(),
        pipeline: Pipeline::Off,
        devices: Devices { sound: false, clipboard: false, drive: false, microphone: false },
        drive: None,
        session,
        gateway,
        continuation: Continuation::default(),
    };
    match connect(stream, options).await {
        Err(ConnectError::CertificateChanged { seen, .. }) => Ok(seen),
        Err(error) => Err(error),
        Ok(_) => Err(ConnectError::SecurityRefused("it wants no TLS".to_owned())),
    }
}

/// Boxed, so that there is one of it, whatever carries the connection.
async fn establish(
    mut stream: Box<dyn Stream>,
    options: &RdpOptions,
    at: &AtomicUsize,
) -> Result<(Box<dyn Stream>, RdpSource), ConnectError> {
    let [negotiation, tls_stage, credssp_stage, setup, _] = STAGES;
    if let Some(gateway) = &options.gateway {
        at.store(4, Ordering::Relaxed);
        stream = Box::new(gateway::open(stream, gateway, &options.client_name, options.keeper.as_deref()).await?);
        at.store(0, Ordering::Relaxed);
    }
    let connector = ClientConnector::new(config(options), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (player, sound) = sound::pair();
    let mut connector = channels(connector, options, player);
    let session = &options.session;
    connector =
        options.continuation.announce(connector, session.load_balance.as_deref(), session.follow, session.admin);
    if let Some(preconnection) = &session.preconnection {
        say(&mut stream, &preconnection.message()).await.map_err(|error| error.into_error(negotiation))?;
    }
    let is_direct = options.security == Security::VmConnect;
    while !is_direct && !connector.should_perform_security_upgrade() {
        step(&mut stream, &mut connector).await.map_err(|error| error.into_error(negotiation))?;
    }

    at.store(1, Ordering::Relaxed);
    let pin = options.continuation.pin(options.certificate);
    let (mut stream, seen, key) = tls::upgrade(stream, pin).await?;
    tracing::debug!(stage = tls_stage, certificate = %seen, "Machine's certificate is accepted");
    if let (HostPin::FirstUse, Some(keeper)) = (pin, &options.keeper) {
        keeper.met(0, &seen.to_string()).await.map_err(ConnectError::IdentityNotKept)?;
    }
    if is_direct {
        at.store(2, Ordering::Relaxed);
        // A host of Hyper-V is another service than the one that has a name here.
        credssp(&mut stream, &connector.config, None, SecurityProtocol::HYBRID, key)
            .await
            .map_err(|error| error.into_error(credssp_stage))?;
        direct(&mut stream, &mut connector).await.map_err(|error| error.into_error(setup))?;
    } else {
        connector.mark_security_upgrade_as_done();
        if let ClientConnectorState::Credssp { selected_protocol } = connector.state {
            at.store(2, Ordering::Relaxed);
            let kerberos = options.kerberos.as_ref().map(|kerberos| (kerberos, &options.password));
            credssp(&mut stream, &connector.config, kerberos, selected_protocol, key)
                .await
                .map_err(|error| error.into_error(credssp_stage))?;
            connector.mark_credssp_as_done();
        }
    }

    at.store(3, Ordering::Relaxed);
    let outcome = loop {
        step(&mut stream, &mut connector).await.map_err(|error| error.into_error(setup))?;
        if let Some(outcome) = connector.state.take_outcome() {
            break outcome;
        }
    };
    match outcome {
        ConnectionOutcome::Connected(result) => {
            let scrubbed = scrub(connector.config);
            let continuation = (options.continuation.clone(), session.follow);
            let source = RdpSource::new(result, scrubbed, sound, continuation)
                .map_err(|what| ConnectError::Protocol { stage: setup, what })?;
            Ok((Box::new(stream), source))
        }
        ConnectionOutcome::Redirected(_) if !session.follow => Err(ConnectError::Redirected),
        ConnectionOutcome::Redirected(said) => match options.continuation.redirect(&said) {
            Ok(()) => Err(ConnectError::SentOn),
            Err(what) => Err(ConnectError::Protocol { stage: setup, what }),
        },
    }
}

/// The channels that Oriel asks for: the clipboard, the session's drive, a single program where the session is one, sound, and dynamic
/// channels with the display control, the graphics pipeline, fingers and pens, and the person's microphone.
pub(crate) fn channels(connector: ClientConnector, options: &RdpOptions, player: Player) -> ClientConnector {
    let pipeline = options.pipeline;
    let mut dynamic = DrdynvcClient::new().with_dynamic_channel(DisplayControlClient::new(|_| Ok(Vec::new())));
    if pipeline != Pipeline::Off {
        // Servers close the channel and open it again when a session is taken over.
        dynamic = dynamic.with_dynamic_channel_factory(ironrdp_egfx::CHANNEL_NAME, move || match pipeline {
            Pipeline::FullVideo => Graphics::full(),
            Pipeline::Video => Graphics::new(true),
            Pipeline::Pixels | Pipeline::Off => Graphics::new(false),
        });
    }
    if options.devices.microphone {
        // Servers open the channel when a program begins to record, and close it when it ends.
        dynamic = dynamic.with_dynamic_channel_factory(microphone::CHANNEL_NAME, Microphone::default);
    }
    // Servers open the channel where they can inject touch, and again when a session is taken over.
    dynamic = dynamic.with_dynamic_channel_factory(touch::CHANNEL_NAME, Touch::default);
    let mut connector = connector.with_static_channel(dynamic);
    if options.devices.clipboard {
        let offered = options.drive.as_ref().filter(|_| options.devices.drive);
        let clipboard = offered
            .map_or_else(Clipboard::default, |drive| Clipboard::with_files(drive.drive.clone(), drive.clipboard));
        connector = connector.with_static_channel(CliprdrClient::new(Box::new(clipboard)));
    }
    if let Some(offered) = &options.drive {
        if options.devices.drive {
            let devices = Rdpdr::new(&options.client_name, offered.drive.clone(), offered.writable);
            connector = connector.with_static_channel(devices);
        } else {
            // The sign-in before may have had it.
            offered.drive.lock().machine = MachineSide::Unknown;
        }
    }
    if let Some(app) = &options.session.remote_app {
        let (screen, resumes) = ((options.width, options.height), options.continuation.has_cookie());
        let rail = Rail::new(&app.program, &app.folder, &app.arguments, screen, resumes);
        connector = connector.with_static_channel(rail);
    }
    if options.devices.sound { connector.with_static_channel(Rdpsnd::new(Box::new(player))) } else { connector }
}

/// A reactivation needs the configuration for as long as the session lives, but not the password.
pub(crate) fn scrub(mut config: Config) -> Config {
    config.credentials = Credentials::UsernamePassword { username: String::new(), password: String::new() };
    config
}

pub(crate) fn config(options: &RdpOptions) -> Config {
    let size = DesktopSize { width: options.width, height: options.height };
    let session = &options.session;
    let mut config = Config {
        desktop_size: size,
        monitor_layout: None,
        desktop_scale_factor: if (100..=500).contains(&options.scale) { u32::from(options.scale) } else { 100 },
        desktop_physical_size: None,
        desktop_orientation: None,
        device_scale_factor: None,
        monitor_extended_layout: None,
        relative_mouse_input: false,
        // Where Kerberos alone is allowed, the password is told to nobody who has not shown a ticket.
        enable_tls: matches!(options.security, Security::Any | Security::Tls)
            && options.kerberos.as_ref().is_none_or(|kerberos| kerberos.account.or_ntlm),
        enable_credssp: options.security != Security::Tls,
        enable_standard_rdp_security: false,
        credentials: Credentials::UsernamePassword {
            username: options.user.clone(),
            password: options.password.expose_secret().to_owned(),
        },
        domain: options.domain.clone(),
        client_build: 22631,
        client_name: options.client_name.chars().take(15).collect(),
        keyboard_type: KeyboardType::IBM_ENHANCED,
        keyboard_subtype: 0,
        keyboard_functional_keys_count: 12,
        keyboard_layout: windows_layout(&options.keyboard),
        // The gateway is next to the machine; xrdp sends RemoteFX only to clients on a LAN.
        connection_type: ConnectionType::Lan,
        ime_file_name: String::new(),
        bitmap: Some(BitmapConfig {
            lossy_compression: true,
            color_depth: 32,
            // Plain bitmaps are exact, and lossless tiles for the viewer stay small. RemoteFX is decoded when a server
            // sends it, but xrdp takes an offer for a wish, and its noise would be encoded a second time.
            codecs: client_codecs_capabilities(&["remotefx:off"]).unwrap_or_default(),
        }),
        dig_product_id: String::new(),
        client_dir: "oriel".to_owned(),
        alternate_shell: session.program.as_ref().map(|program| program.command.clone()).unwrap_or_default(),
        work_dir: session.program.as_ref().map(|program| program.folder.clone()).unwrap_or_default(),
        remote_application_mode: session.remote_app.is_some(),
        rail_support_level: if session.remote_app.is_some() {
            RailSupportLevel::SUPPORTED | RailSupportLevel::HANDSHAKE_EX_SUPPORTED
        } else {
            RailSupportLevel::empty()
        },
        platform: MajorPlatformType::UNIX,
        hardware_id: None,
        request_data: None,
        autologon: true,
        enable_audio_playback: options.devices.sound,
        enable_audio_capture: options.devices.microphone,
        performance_flags: session.looks.flags(),
        license_cache: None,
        timezone_info: session.time_zone.as_ref().map_or_else(TimezoneInfo::default, TimeZone::info),
        // Bulk compression stays off: xrdp marks even its Font Map as compressed, which IronRDP's activation sequence
        // (0.12) waits for in vain, so that no resize would ever end; its histories cost megabytes a session, and what
        // it hides the guard could not measure. Pictures are compressed anyway.
        compression_type: None,
        enable_server_pointer: true,
        pointer_software_rendering: false,
        multitransport_flags: None,
        support_dyn_vc_gfx_protocol: options.pipeline != Pipeline::Off,
    };
    if let Some(monitors) = &options.monitors {
        crate::monitors::announce(monitors, &mut config);
    }
    options.continuation.apply(&mut config);
    config
}
