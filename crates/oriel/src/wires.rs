//! Wires between rooms that do not know each other: the gateway asks the broker for a way into a guest, the broker asks the
//! gateway who is connected.

use async_trait::async_trait;
use oriel_broker::{
    Broker, BrokerError, GuestAccess, GuestAccount, GuestCredentials, GuestGateway, LiveRecording, NewRecording, Open,
    OpenAs, Sessions,
};
use oriel_compute::ScreenProtocol;
use oriel_gateway::terminal::telnet::LoginPatterns;
use oriel_gateway::terminal::{
    Backspace, Credentials, HostKeyPin, Jump, Key, KubernetesOptions, ShellOptions, SshOptions, TelnetOptions,
};
use oriel_gateway::{
    Devices, DialError, Dialler, Fingerprint, Gateway, HostPin, IdleEnd, Looks, PhysicalOptions, Preconnection,
    Program, Protocol, RdpGateway, RdpKerberos, RdpSecurity, RdpSession, RdpTarget, Recorded, RecordingSink,
    Recordings, RemoteApp, ShellTarget, SpiceOptions, Target, TimeZone, VncOptions,
};
use oriel_model::{self as model, AppId, DesktopId, GuestPort, RecordingId, RecordingRules, UserId};
use oriel_physical::keymap_of_layout;
use oriel_screen::{ByeCode, recording::Chunk};
use std::collections::BTreeMap;

/// The broker's doors into guests, for the gateway.
pub struct Doors(pub Broker);

#[async_trait]
impl Dialler for Doors {
    /// For nobody, who is in no group: what the machine says of itself is asked, and nothing is let through to a person.
    async fn dial(&self, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        let access = self.0.guest_access(None, desktop, port, None).await.map_err(|error| dial_error(&error))?;
        self.lead(UserId::new(), desktop, access).await
    }

    async fn dial_for(&self, user: UserId, desktop: DesktopId, port: GuestPort) -> Result<Target, DialError> {
        let access = self.0.guest_access(Some(user), desktop, port, None).await.map_err(|error| dial_error(&error))?;
        self.lead(user, desktop, access).await
    }

    async fn dial_app(
        &self,
        user: UserId,
        app: AppId,
        desktop: DesktopId,
        port: GuestPort,
    ) -> Result<Target, DialError> {
        let access = self.0.guest_access(Some(user), desktop, port, Some(app)).await;
        self.lead(user, desktop, access.map_err(|error| dial_error(&error))?).await
    }

    async fn dial_other(&self, desktop: DesktopId, port: GuestPort, host: &str) -> Result<Target, DialError> {
        let access = self.0.redirected_access(desktop, port, host, (None, None)).await;
        self.lead(UserId::new(), desktop, access.map_err(|error| dial_error(&error))?).await
    }

    async fn dial_other_for(
        &self,
        user: UserId,
        desktop: DesktopId,
        port: GuestPort,
        host: &str,
    ) -> Result<Target, DialError> {
        let access = self.0.redirected_access(desktop, port, host, (Some(user), None)).await;
        self.lead(user, desktop, access.map_err(|error| dial_error(&error))?).await
    }

    async fn dial_other_app(
        &self,
        (user, app): (UserId, AppId),
        desktop: DesktopId,
        port: GuestPort,
        host: &str,
    ) -> Result<Target, DialError> {
        let access = self.0.redirected_access(desktop, port, host, (Some(user), Some(app))).await;
        self.lead(user, desktop, access.map_err(|error| dial_error(&error))?).await
    }

    async fn wake(&self, desktop: DesktopId, port: GuestPort) -> Result<Option<u16>, DialError> {
        self.0.wake_machine(desktop, port).await.map_err(|error| dial_error(&error))
    }

    async fn idle_end(&self, desktop: DesktopId) -> Option<IdleEnd> {
        match self.0.leaving(desktop).await {
            Ok((leaving, hours, touched)) => Some(IdleEnd::new(&leaving, hours, touched)),
            Err(error) => {
                tracing::warn!(%error, %desktop, "When an idle connection ends is not known: this one does not");
                None
            }
        }
    }

    async fn met(&self, desktop: DesktopId, _: GuestPort, hop: usize, identity: &str) -> Result<(), DialError> {
        self.0.pin_identity(desktop, hop, identity).await.map_err(|error| dial_error(&error))
    }

    async fn ask_kdc(&self, desktop: DesktopId, question: &[u8]) -> Result<Vec<u8>, DialError> {
        self.0.ask_kdc(desktop, question).await.map_err(|error| dial_error(&error))
    }
}

impl Doors {
    async fn lead(&self, user: UserId, desktop: DesktopId, access: GuestAccess) -> Result<Target, DialError> {
        let protocol = protocol(access.credentials).ok_or_else(|| DialError {
            code: ByeCode::Internal,
            text: format!(
                "the identity on record for {} is damaged: recycle the desktop, or accept its identity anew",
                access.name
            ),
        })?;
        let policy = self.0.session_policy(user, desktop).await.map_err(|error| dial_error(&error))?;
        self.0.connections_changed();
        Ok(Target { title: access.name, stream: access.stream, protocol, policy })
    }
}

/// The broker's recordings, for the gateway.
pub struct Shelf(pub Broker);

#[async_trait]
impl Recordings for Shelf {
    async fn rules(&self, user: UserId, desktop: DesktopId) -> Result<RecordingRules, DialError> {
        let refused = |error: oriel_broker::BrokerError| DialError { code: ByeCode::Internal, text: error.to_string() };
        self.0.recording_rules(user, desktop).await.map_err(refused)
    }

    async fn begin(&self, of: Recorded) -> Result<Box<dyn RecordingSink>, DialError> {
        let Recorded { connection, user, desktop, port } = of;
        let begun = self.0.begin_recording(NewRecording { connection, user, desktop, port }).await;
        match begun {
            Ok(live) => Ok(Box::new(Sink(live))),
            Err(error) => {
                tracing::error!(%error, %desktop, "A connection could not be recorded");
                Err(DialError { code: ByeCode::Internal, text: error.to_string() })
            }
        }
    }
}

struct Sink(LiveRecording);

#[async_trait]
impl RecordingSink for Sink {
    fn id(&self) -> RecordingId {
        self.0.recording().id
    }

    fn title(&self) -> String {
        self.0.recording().desktop_name.clone()
    }

    fn watermark(&self) -> Option<String> {
        self.0.watermark().map(str::to_owned)
    }

    async fn put(&mut self, chunk: &Chunk) -> Result<(), String> {
        self.0.put(chunk).await.map_err(|error| error.to_string())
    }

    async fn finish(self: Box<Self>) -> Result<(), String> {
        self.0.finish().await.map_err(|error| error.to_string())
    }
}

fn dial_error(error: &BrokerError) -> DialError {
    DialError { code: ByeCode::Unreachable, text: error.to_string() }
}

/// What the gateway says there. `None`: an identity on record cannot be read.
fn protocol(credentials: GuestCredentials) -> Option<Protocol> {
    Some(match credentials {
        GuestCredentials::Console(ScreenProtocol::Vnc) => Protocol::console(),
        GuestCredentials::Console(ScreenProtocol::Spice) => Protocol::Spice(Box::default()),
        GuestCredentials::Rdp { account, certificate_sha256, keyboard, parameters, drive, gateway, kerberos } => {
            let certificate = pin(certificate_sha256.as_deref())?;
            let base =
                RdpTarget::new(account.user.unwrap_or_default(), account.password.unwrap_or_default(), certificate);
            let session = session(&parameters);
            let gateway = match gateway {
                Some(gateway) => Some(way_through(gateway)?),
                None => None,
            };
            Protocol::Rdp(Box::new(RdpTarget {
                session,
                gateway,
                domain: parameters.domain,
                security: match parameters.security {
                    None => RdpSecurity::Any,
                    Some(model::RdpSecurity::Nla) => RdpSecurity::Nla,
                    Some(model::RdpSecurity::Tls) => RdpSecurity::Tls,
                    Some(model::RdpSecurity::Vmconnect) => RdpSecurity::VmConnect,
                },
                kerberos: kerberos.map(|of| RdpKerberos {
                    realm: of.realm,
                    user: of.user,
                    host: of.host,
                    or_ntlm: of.or_ntlm,
                }),
                devices: Devices {
                    sound: parameters.sound.unwrap_or(true),
                    microphone: parameters.microphone.unwrap_or(true),
                    drive,
                    ..base.devices
                },
                keyboard,
                client_name: parameters.client_name.unwrap_or(base.client_name),
                graphics: parameters.graphics_pipeline.unwrap_or(true),
                ..base
            }))
        }
        GuestCredentials::Vnc { account, identity, parameters } => Protocol::Vnc(Box::new(VncOptions {
            user: account.user,
            password: account.password,
            pin: pin(identity.as_deref())?,
            repeater: parameters.repeater,
            quality: parameters.jpeg_quality,
            ..VncOptions::default()
        })),
        GuestCredentials::Spice { account, identity, parameters } => Protocol::Spice(Box::new(SpiceOptions {
            password: account.password,
            tls: parameters.tls == Some(true),
            pin: pin(identity.as_deref())?,
            ..SpiceOptions::default()
        })),
        GuestCredentials::Pikvm { account, identity, host, keyboard, port } => {
            Protocol::Physical(Box::new(PhysicalOptions {
                host,
                user: account.user.unwrap_or_else(|| "admin".to_owned()),
                password: account.password.unwrap_or_default(),
                totp: account.totp,
                pin: pin(identity.as_deref())?,
                keymap: Some(keymap_of_layout(&keyboard).to_owned()),
                switch_port: port,
                ..PhysicalOptions::default()
            }))
        }
        GuestCredentials::Ssh { account, host_key, jumps, parameters } => {
            let jumps = jumps.into_iter().map(|jump| Jump {
                credentials: credentials_of(jump.account),
                host_key: host_key_pin(jump.host_key),
                to_host: jump.to_host,
                to_port: jump.to_port,
            });
            let base = SshOptions::new(credentials_of(account), host_key_pin(host_key));
            let ssh = SshOptions {
                jumps: jumps.collect(),
                forward_agent: parameters.agent_forwarding.unwrap_or(false),
                ..base
            };
            let base = ShellOptions::default();
            let shell = ShellOptions {
                term: parameters.terminal_type.unwrap_or(base.term),
                locale: parameters.locale,
                timezone: parameters.time_zone,
                command: parameters.command,
                backspace: backspace(parameters.backspace),
                ..ShellOptions::default()
            };
            Protocol::Shell(Box::new(ShellTarget::Ssh { ssh, shell, files_root: parameters.sftp_root }))
        }
        GuestCredentials::Telnet { account, parameters } => {
            let patterns = LoginPatterns::default();
            let base = TelnetOptions::default();
            Protocol::Shell(Box::new(ShellTarget::Telnet(TelnetOptions {
                user: account.user,
                password: account.password,
                patterns: LoginPatterns {
                    user: parameters.user_prompt.unwrap_or(patterns.user),
                    password: parameters.password_prompt.unwrap_or(patterns.password),
                    success: parameters.success_pattern,
                    failure: parameters.failure_pattern,
                },
                term: parameters.terminal_type.unwrap_or(base.term),
                backspace: backspace(parameters.backspace),
                ..TelnetOptions::default()
            })))
        }
        GuestCredentials::Serial { parameters } => {
            Protocol::Shell(Box::new(ShellTarget::Serial { backspace: backspace(parameters.backspace) }))
        }
        GuestCredentials::Kubernetes { account, identity, parameters } => {
            let namespace = parameters.namespace.unwrap_or_else(|| "default".to_owned());
            let base = KubernetesOptions::new(namespace, parameters.pod.unwrap_or_default(), pin(identity.as_deref())?);
            Protocol::Shell(Box::new(ShellTarget::Kubernetes(Box::new(KubernetesOptions {
                container: parameters.container,
                command: parameters.command,
                token: account.password,
                certificate: parameters.certificate,
                private_key: account.private_key,
                backspace: backspace(parameters.backspace),
                ..base
            }))))
        }
    })
}

/// `None`: the identity on record cannot be read.
fn way_through(gateway: GuestGateway) -> Option<RdpGateway> {
    Some(RdpGateway {
        name: gateway.name,
        host: gateway.to_host,
        port: gateway.to_port,
        user: gateway.user.unwrap_or_default(),
        password: gateway.password.unwrap_or_default(),
        domain: gateway.domain,
        certificate: pin(gateway.identity.as_deref())?,
        // The gateway's door.
        way: None,
    })
}

/// What an RDP session is asked to be.
fn session(parameters: &model::MachineParameters) -> RdpSession {
    let looks = Looks::default();
    RdpSession {
        looks: Looks {
            wallpaper: parameters.wallpaper.unwrap_or(looks.wallpaper),
            theming: parameters.theming.unwrap_or(looks.theming),
            font_smoothing: parameters.font_smoothing.unwrap_or(looks.font_smoothing),
            full_window_drag: parameters.full_window_drag.unwrap_or(looks.full_window_drag),
            desktop_composition: parameters.desktop_composition.unwrap_or(looks.desktop_composition),
            menu_animations: parameters.menu_animations.unwrap_or(looks.menu_animations),
        },
        program: parameters
            .initial_program
            .clone()
            .map(|command| Program { command, folder: parameters.program_folder.clone().unwrap_or_default() }),
        remote_app: parameters.remote_app.clone().map(|program| RemoteApp {
            program,
            folder: parameters.remote_app_folder.clone().unwrap_or_default(),
            arguments: parameters.remote_app_arguments.clone().unwrap_or_default(),
        }),
        admin: parameters.admin_session.unwrap_or(false),
        // Known when it was entered; should it be gone, the machine's own clock is right.
        time_zone: parameters.time_zone.as_deref().and_then(|name| TimeZone::named(name, jiff::Timestamp::now())),
        load_balance: parameters.load_balance_info.clone(),
        preconnection: (parameters.preconnection_id.is_some() || parameters.preconnection_blob.is_some()).then(|| {
            Preconnection { id: parameters.preconnection_id.unwrap_or(0), blob: parameters.preconnection_blob.clone() }
        }),
        follow: parameters.follows_redirection(),
    }
}

/// `None`: what is there cannot be read.
fn pin(identity: Option<&str>) -> Option<HostPin> {
    match identity {
        None => Some(HostPin::FirstUse),
        Some(text) => text.parse::<Fingerprint>().ok().map(|kept| HostPin::Sha256(kept.0)),
    }
}

fn host_key_pin(host_key: Option<String>) -> HostKeyPin {
    host_key.map_or(HostKeyPin::FirstUse, HostKeyPin::Known)
}

fn credentials_of(account: GuestAccount) -> Credentials {
    let GuestAccount { user, password, private_key, passphrase, certificate, .. } = account;
    let key = private_key.map(|private| Key { private, passphrase, certificate });
    Credentials { user: user.unwrap_or_default(), key, password }
}

const fn backspace(backspace: Option<model::Backspace>) -> Backspace {
    match backspace {
        None | Some(model::Backspace::Delete) => Backspace::Delete,
        Some(model::Backspace::ControlH) => Backspace::ControlH,
    }
}

/// The gateway's live connections, for the broker.
pub struct Live(pub Gateway);

#[async_trait]
impl Sessions for Live {
    fn connections_to(&self, desktop: DesktopId) -> usize {
        self.0.connections_to(desktop)
    }

    fn connected(&self) -> Vec<DesktopId> {
        let files = self.0.file_users().into_iter().map(|(_, desktop)| desktop);
        self.0.connections().into_iter().map(|info| info.connection.desktop).chain(files).collect()
    }

    fn touched(&self) -> Vec<(DesktopId, model::Micros)> {
        self.0.touched()
    }

    async fn thumbnail(&self, desktop: DesktopId, width_max: u16) -> Option<Vec<u8>> {
        self.0.thumbnail(desktop, width_max).await
    }

    fn prelaunch(&self, user: UserId, desktop: DesktopId) {
        let gateway = self.0.clone();
        tokio::spawn(async move { gateway.prelaunch(user, desktop).await });
    }

    async fn end_desktop(&self, desktop: DesktopId, reason: &str) {
        self.0.end_where(|_, of| of == desktop, ByeCode::RemoteEnded, reason).await;
    }

    fn warn(&self, desktop: DesktopId, seconds: u32) {
        self.0.warn(desktop, seconds);
    }

    fn open(&self) -> Vec<Open> {
        let of = |what: OpenAs| move |(user, desktop)| Open { user, desktop, what: what.clone() };
        let connections = self.0.rules_of_connections().into_iter();
        connections
            .map(|(user, desktop, policy)| Open { user, desktop, what: OpenAs::Connection(policy) })
            .chain(self.0.file_users().into_iter().map(of(OpenAs::Files)))
            .chain(self.0.guests().into_iter().map(of(OpenAs::Guest)))
            .collect()
    }

    fn say(&self, desktop: DesktopId, text: &str) {
        for of in self.0.connections().into_iter().filter(|info| info.connection.desktop == desktop) {
            self.0.say(of.connection.id, text);
        }
    }

    async fn end_of(&self, user: UserId, desktop: DesktopId, reason: &str) {
        self.0.end_where(|by, of| by == user && of == desktop, ByeCode::EndedByAdmin, reason).await;
    }

    fn asked_back(&self, by: &BTreeMap<DesktopId, model::Micros>) {
        self.0.ask_back(|desktop| by.get(&desktop).copied());
    }

    fn end_helping(&self, user: UserId, reason: &str) {
        self.0.end_helping(user, reason);
    }

    async fn end_user(&self, user: UserId, reason: &str) {
        self.0.end_where(|of, _| of == user, ByeCode::EndedByAdmin, reason).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
mod tests {
    use super::*;
    use oriel_broker::GuestKerberos;
    use oriel_model::MachineParameters;

    fn account() -> GuestAccount {
        let text = |text: &str| Some(text.to_owned());
        GuestAccount { user: text("anna"), password: text("geheim").map(Into::into), ..GuestAccount::default() }
    }

    #[test]
    fn what_is_entered_reaches_the_clients() {
        let parameters = MachineParameters {
            domain: Some("CORP".into()),
            security: Some(model::RdpSecurity::Nla),
            client_name: Some("desk".into()),
            graphics_pipeline: Some(false),
            wallpaper: Some(false),
            menu_animations: Some(true),
            sound: Some(false),
            microphone: Some(false),
            admin_session: Some(true),
            initial_program: Some("ledger.exe".into()),
            program_folder: Some("C:\\Accounts".into()),
            time_zone: Some("Europe/Berlin".into()),
            load_balance_info: Some("tsv://farm".into()),
            preconnection_blob: Some("guid".into()),
            ..MachineParameters::default()
        };
        let certificate_sha256 = Some("0a".repeat(32));
        let (of, keyboard) = (account(), "de".into());
        let gateway = Some(GuestGateway {
            name: "edge.example:8443".into(),
            user: Some("olga".into()),
            password: Some("offen".into()),
            domain: Some("EDGE".into()),
            identity: None,
            to_host: "desk.inside".into(),
            to_port: 3390,
        });
        let kerberos = Some(Box::new(GuestKerberos {
            realm: "CORP.EXAMPLE".into(),
            user: "anna".into(),
            host: "desk.corp.example".into(),
            or_ntlm: true,
        }));
        let given = GuestCredentials::Rdp {
            account: of,
            certificate_sha256,
            keyboard,
            parameters,
            drive: true,
            gateway,
            kerberos,
        };
        let Some(Protocol::Rdp(rdp)) = protocol(given) else { panic!("no RDP") };
        assert_eq!((rdp.user.as_str(), rdp.domain.as_deref(), rdp.keyboard.as_str()), ("anna", Some("CORP"), "de"));
        assert_eq!((rdp.certificate, rdp.security), (HostPin::Sha256([10; 32]), RdpSecurity::Nla));
        assert_eq!((rdp.client_name.as_str(), rdp.graphics, rdp.devices.sound), ("desk", false, false));
        assert!(!rdp.devices.microphone);
        let ticket = rdp.kerberos.expect("a realm");
        assert_eq!((ticket.realm.as_str(), ticket.user.as_str()), ("CORP.EXAMPLE", "anna"));
        assert!(ticket.host == "desk.corp.example" && ticket.or_ntlm);
        let through = rdp.gateway.expect("a gateway");
        assert_eq!(
            (through.name.as_str(), through.host.as_str(), through.port),
            ("edge.example:8443", "desk.inside", 3390)
        );
        assert_eq!((through.user.as_str(), through.domain.as_deref()), ("olga", Some("EDGE")));
        assert_eq!(through.certificate, HostPin::FirstUse);
        let session = rdp.session;
        let looks = session.looks;
        assert_eq!((looks.wallpaper, looks.theming, looks.menu_animations), (false, true, true));
        assert_eq!(
            session.program.map(|program| (program.command, program.folder)),
            Some(("ledger.exe".into(), "C:\\Accounts".into()))
        );
        assert!(session.time_zone.is_some() && session.admin);
        assert_eq!(session.preconnection, Some(Preconnection { id: 0, blob: Some("guid".into()) }));
        // Who spreads connections sends them on.
        assert_eq!((session.load_balance.as_deref(), session.follow), (Some("tsv://farm"), true));

        let parameters = MachineParameters {
            remote_app: Some("||ledger".into()),
            remote_app_arguments: Some("/year 2026".into()),
            ..MachineParameters::default()
        };
        let asked = super::session(&parameters).remote_app.map(|app| (app.program, app.folder, app.arguments));
        assert_eq!(asked, Some(("||ledger".into(), String::new(), "/year 2026".into())));

        let parameters = MachineParameters {
            repeater: Some("10.0.0.7:5901".into()),
            jpeg_quality: Some(7),
            ..MachineParameters::default()
        };
        let given = GuestCredentials::Vnc { account: account(), identity: None, parameters };
        let Some(Protocol::Vnc(vnc)) = protocol(given) else { panic!("no VNC") };
        assert_eq!(
            (vnc.repeater.as_deref(), vnc.quality, vnc.pin),
            (Some("10.0.0.7:5901"), Some(7), HostPin::FirstUse)
        );
        assert_eq!((vnc.user.as_deref(), vnc.password.is_some(), vnc.nearby), (Some("anna"), true, false));

        let parameters = MachineParameters { tls: Some(true), ..MachineParameters::default() };
        let given = GuestCredentials::Spice { account: account(), identity: Some("0a".repeat(32)), parameters };
        let Some(Protocol::Spice(spice)) = protocol(given) else { panic!("no SPICE") };
        assert_eq!((spice.tls, spice.pin, spice.password.is_some()), (true, HostPin::Sha256([10; 32]), true));

        let parameters = MachineParameters {
            pod: Some("web-0".into()),
            container: Some("app".into()),
            command: Some("sh".into()),
            ..MachineParameters::default()
        };
        let given = GuestCredentials::Kubernetes { account: account(), identity: None, parameters };
        let Some(Protocol::Shell(shell)) = protocol(given) else { panic!("no shell") };
        let ShellTarget::Kubernetes(shell) = *shell else { panic!("no cluster") };
        assert_eq!((shell.namespace.as_str(), shell.pod.as_str()), ("default", "web-0"));
        assert_eq!((shell.container.as_deref(), shell.command.as_deref()), (Some("app"), Some("sh")));
        assert!(shell.token.is_some() && shell.pin == HostPin::FirstUse);

        let parameters = MachineParameters { sftp_root: Some("/srv/out".into()), ..MachineParameters::default() };
        let given = GuestCredentials::Ssh { account: account(), host_key: None, jumps: Vec::new(), parameters };
        let Some(Protocol::Shell(shell)) = protocol(given) else { panic!("no shell") };
        let ShellTarget::Ssh { files_root, .. } = *shell else { panic!("no SSH") };
        assert_eq!(files_root.as_deref(), Some("/srv/out"));

        // What desktops of Oriel's own have.
        let parameters = MachineParameters::default();
        let given = GuestCredentials::Ssh { account: account(), host_key: None, jumps: Vec::new(), parameters };
        let Some(Protocol::Shell(shell)) = protocol(given) else { panic!("no shell") };
        let ShellTarget::Ssh { ssh, shell, files_root } = *shell else { panic!("no SSH") };
        assert_eq!(files_root, None, "the account's home");
        assert!(matches!(ssh.host_key, HostKeyPin::FirstUse) && !ssh.forward_agent);
        assert_eq!((shell.term.as_str(), shell.backspace), ("xterm-256color", Backspace::Delete));
    }

    #[test]
    fn a_damaged_identity_is_no_first_meeting() {
        assert_eq!(pin(None), Some(HostPin::FirstUse));
        assert_eq!(pin(Some(&"0a".repeat(32))), Some(HostPin::Sha256([10; 32])));
        assert_eq!(pin(Some("")), None);
        assert_eq!(pin(Some("nonsense")), None);
    }
}
