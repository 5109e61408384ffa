//! What a connection needs to know before it dials.

use crate::clipboard::ClipboardFiles;
use crate::continuation::Continuation;
use crate::drive::Drive;
use crate::gateway::GatewayOptions;
use crate::kerberos::KerberosOptions;
use crate::session::SessionOptions;
use oriel_pin::{HostPin, Keeper};
use oriel_screen::Monitors;
use secrecy::SecretString;
use std::sync::Arc;

/// Which security levels are offered (MS-RDPBCGR 5.4); RDP's own encryption never is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Security {
    /// Network level authentication where the machine has it, else TLS.
    #[default]
    Any,
    /// Network level authentication (CredSSP) or nothing.
    Nla,
    /// TLS without it: the machine asks for the password on its own login screen when it is not the right one.
    Tls,
    /// As Hyper-V speaks on the port of its consoles: network level authentication first, and the negotiation inside of it
    /// (MS-RDPBCGR 5.4.2.2, the direct approach).
    VmConnect,
}

/// What is offered of the graphics pipeline (MS-RDPEGFX). Servers without it send bitmaps as ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pipeline {
    /// Nothing.
    Off,
    /// The codecs that are decoded here: ClearCodec, planar, RemoteFX, progressive, plain.
    #[default]
    Pixels,
    /// Those, and H.264 (AVC420), which is forwarded to viewers that decode it.
    Video,
    /// Those, and H.264 in 4:4:4 as two views of 4:2:0 (AVC444, AVC444v2), for viewers that put them together.
    FullVideo,
}

/// What of the browser's side a machine may use: a rule of whoever owns the machine, kept here and not in the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Devices {
    /// Its sound is heard (MS-RDPEA).
    pub sound: bool,
    /// The clipboard is shared with it, one way or both (MS-RDPECLIP).
    pub clipboard: bool,
    /// It sees the session's folder as a drive (MS-RDPEFS).
    pub drive: bool,
    /// It may hear the person's microphone (MS-RDPEAI).
    pub microphone: bool,
}

impl Default for Devices {
    fn default() -> Self {
        Self { sound: true, clipboard: true, drive: true, microphone: true }
    }
}

/// The session's folder, as the machine gets it.
#[derive(Clone, Debug)]
pub struct OfferedDrive {
    pub drive: Drive,
    /// The machine may change what is there.
    pub writable: bool,
    /// Where both sides have the clipboard.
    pub clipboard: ClipboardFiles,
}

/// How to open an RDP session.
#[derive(Clone, Debug)]
pub struct RdpOptions {
    pub user: String,
    pub password: SecretString,
    /// Windows domain; `None` for local accounts and for Linux.
    pub domain: Option<String>,
    /// Wanted size in pixels; the server's answer decides (`RdpSource::framebuffer`).
    pub width: u16,
    pub height: u16,
    /// Scale of the viewer's screen in per cent (100..=500; others are sent as 100).
    pub scale: u16,
    /// Where the viewer has a window for each of several monitors: `width` and `height` are those of the box around them.
    pub monitors: Option<Monitors>,
    /// Keyboard layout as an XKB name with optional variant: `us`, `de`, `us(intl)`.
    pub keyboard: String,
    /// The certificate that the machine must show.
    pub certificate: HostPin,
    /// Told the certificate where none is pinned.
    pub keeper: Option<Arc<dyn Keeper>>,
    pub security: Security,
    /// Network level authentication with Kerberos; with NTLM where there is none.
    pub kerberos: Option<KerberosOptions>,
    /// Shown in the machine's session list; the first 15 characters are sent.
    pub client_name: String,
    pub pipeline: Pipeline,
    pub devices: Devices,
    /// Where `devices` has one.
    pub drive: Option<OfferedDrive>,
    pub session: SessionOptions,
    /// Where the stream leads to an RD Gateway, and not to the machine.
    pub gateway: Option<GatewayOptions>,
    /// What earlier connections to the same session left.
    pub continuation: Continuation,
}
