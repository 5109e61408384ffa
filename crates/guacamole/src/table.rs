//! Every connection parameter of Guacamole (its manual, 1.6.1), and what becomes of it.

use std::fmt::Write as _;

/// What becomes of a parameter today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Taken over, and takes effect.
    Works,
    /// Has a place in Oriel and does nothing yet: the API refuses it, the importer reports it.
    Later,
    /// Makes no sense in Oriel.
    Gone,
}

#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Protocols that have it, separated by blanks.
    pub protocols: &'static str,
    /// Guacamole's name.
    pub name: &'static str,
    /// Oriel's, where it has one.
    pub ours: &'static str,
    pub status: Status,
    pub why: &'static str,
}

impl Parameter {
    pub fn is_of(&self, protocol: &str) -> bool {
        self.protocols.split(' ').any(|of| of == protocol)
    }
}

const ALL: &str = "vnc rdp ssh telnet";
const SCREENS: &str = "vnc rdp";
const TERMINALS: &str = "ssh telnet";

const fn works(protocols: &'static str, name: &'static str, ours: &'static str) -> Parameter {
    Parameter { protocols, name, ours, status: Status::Works, why: "" }
}

const fn noted(protocols: &'static str, name: &'static str, ours: &'static str, why: &'static str) -> Parameter {
    Parameter { protocols, name, ours, status: Status::Works, why }
}

const fn later(protocols: &'static str, name: &'static str, ours: &'static str) -> Parameter {
    Parameter { protocols, name, ours, status: Status::Later, why: "" }
}

const fn gone(protocols: &'static str, name: &'static str, why: &'static str) -> Parameter {
    Parameter { protocols, name, ours: "", status: Status::Gone, why }
}

const RECORDED: &str = "recording is a pool's policy, and its files are Oriel's to keep";
const PICTURES: &str = "the viewer and the machine agree on it";
const ALWAYS: &str = "always on";
const FILES: &str = "files of a session have a place of their own in Oriel";
const TERMINAL: &str = "each person chooses it in the viewer";

/// By protocol and kind.
pub const TABLE: &[Parameter] = &[
    // Where and who.
    works(ALL, "hostname", "address"),
    works(ALL, "port", "address"),
    noted("rdp ssh telnet", "timeout", "timeout_seconds", "for VNC too; 40 at most"),
    noted("rdp ssh telnet", "username", "user", "telnet: kept"),
    later("vnc", "username", "user"),
    noted(ALL, "password", "password", "sealed; telnet: kept"),
    works("rdp", "domain", "domain"),
    works("ssh", "private-key", "private_key"),
    works("ssh", "passphrase", "passphrase"),
    later("ssh", "public-key", "certificate"),
    noted("ssh", "host-key", "identity", "kept from the first connection when unset"),
    noted("rdp", "cert-fingerprints", "identity", "one SHA-256; kept from the first connection when unset"),
    gone("rdp", "cert-tofu", "always so: the first certificate is kept, another is refused"),
    gone("rdp", "ignore-cert", "the first certificate is kept instead, another is refused"),
    gone("rdp", "security", "Oriel takes the best of NLA and TLS; RDP's own encryption is not spoken"),
    gone("rdp", "disable-auth", "without a password the machine asks by itself"),
    // Terminals.
    works("ssh", "command", "command"),
    works("ssh", "locale", "locale"),
    works("ssh", "terminal-type", "terminal_type"),
    later("telnet", "terminal-type", "terminal_type"),
    later("ssh", "timezone", "time_zone"),
    later("ssh", "enable-agent", "agent_forwarding"),
    gone("ssh", "server-alive-interval", "asked every 30 seconds, always"),
    later("telnet", "username-regex", "user_prompt"),
    later("telnet", "password-regex", "password_prompt"),
    later("telnet", "login-success-regex", "success_pattern"),
    later("telnet", "login-failure-regex", "failure_pattern"),
    gone(TERMINALS, "color-scheme", TERMINAL),
    gone(TERMINALS, "font-name", TERMINAL),
    gone(TERMINALS, "font-size", TERMINAL),
    gone(TERMINALS, "scrollback", TERMINAL),
    later(TERMINALS, "backspace", "backspace"),
    gone(TERMINALS, "typescript-path", RECORDED),
    gone(TERMINALS, "typescript-name", RECORDED),
    gone(TERMINALS, "create-typescript-path", RECORDED),
    gone(TERMINALS, "typescript-write-existing", RECORDED),
    // VNC.
    gone("vnc", "encodings", PICTURES),
    gone("vnc", "swap-red-blue", "colours are asked for in the order that Oriel draws them"),
    gone("vnc", "cursor", "the pointer is drawn by the browser, always"),
    gone("vnc", "compress-level", PICTURES),
    gone("vnc", "quality-level", PICTURES),
    gone("vnc", "autoretry", "the viewer connects again by itself"),
    gone("vnc", "clipboard-encoding", "the extended clipboard's Unicode where the server has it"),
    later("vnc", "dest-host", "repeater_host"),
    later("vnc", "dest-port", "repeater_port"),
    later("vnc", "reverse-connect", "reverse"),
    later("vnc", "listen-timeout", "reverse_seconds"),
    later("vnc", "disable-server-input", "lock_local_input"),
    later("vnc", "disable-display-resize", "fixed_size"),
    gone("vnc", "enable-audio", "sound over PulseAudio's own network protocol; QEMU's sound channel comes instead"),
    gone("vnc", "audio-servername", "sound over PulseAudio's own network protocol"),
    // Screens.
    gone(SCREENS, "color-depth", "24 bits; the wire is compressed anyway"),
    gone(SCREENS, "force-lossless", "what rests is without loss, always"),
    gone("rdp", "width", "the viewer's window says it"),
    gone("rdp", "height", "the viewer's window says it"),
    gone("rdp", "dpi", "the viewer's screen says it"),
    gone("rdp", "resize-method", "Oriel resizes without connecting again"),
    later("rdp", "disable-gfx", "graphics_pipeline"),
    later("rdp", "enable-touch", "touch"),
    // RDP sessions.
    works("rdp", "server-layout", "keyboard"),
    works("rdp", "client-name", "client_name"),
    later("rdp", "timezone", "time_zone"),
    later("rdp", "console", "admin_session"),
    later("rdp", "initial-program", "initial_program"),
    later("rdp", "remote-app", "remote_app"),
    later("rdp", "remote-app-dir", "remote_app_folder"),
    later("rdp", "remote-app-args", "remote_app_arguments"),
    later("rdp", "static-channels", "static_channels"),
    gone(SCREENS, "normalize-clipboard", "line ends are the machine's, always"),
    later("rdp", "preconnection-id", "preconnection_id"),
    later("rdp", "preconnection-blob", "preconnection_blob"),
    later("rdp", "load-balance-info", "load_balance_info"),
    later("rdp", "gateway-hostname", "gateway_host"),
    later("rdp", "gateway-port", "gateway_port"),
    later("rdp", "gateway-username", "gateway_user"),
    later("rdp", "gateway-password", "gateway_password"),
    later("rdp", "gateway-domain", "gateway_domain"),
    // RDP devices.
    later("rdp", "disable-audio", "sound"),
    later("rdp", "console-audio", "sound_on_machine"),
    later("rdp", "enable-audio-input", "microphone"),
    later("rdp", "enable-printing", "printing"),
    later("rdp", "printer-name", "printer_name"),
    later("rdp", "enable-drive", "drive"),
    later("rdp", "drive-name", "drive_name"),
    gone("rdp", "drive-path", FILES),
    gone("rdp", "create-drive-path", FILES),
    later("rdp", "disable-download", "files"),
    later("rdp", "disable-upload", "files"),
    // RDP's looks.
    later("rdp", "enable-wallpaper", "wallpaper"),
    later("rdp", "enable-theming", "theming"),
    gone("rdp", "enable-font-smoothing", ALWAYS),
    later("rdp", "enable-full-window-drag", "full_window_drag"),
    later("rdp", "enable-desktop-composition", "desktop_composition"),
    later("rdp", "enable-menu-animations", "menu_animations"),
    gone("rdp", "disable-bitmap-caching", PICTURES),
    gone("rdp", "disable-offscreen-caching", PICTURES),
    gone("rdp", "disable-glyph-caching", PICTURES),
    // Policies that Guacamole keeps with each connection.
    later(ALL, "read-only", "view_only"),
    later(ALL, "disable-copy", "clipboard"),
    later(ALL, "disable-paste", "clipboard"),
    gone(ALL, "clipboard-buffer-size", "1 MiB of text, always"),
    gone(ALL, "recording-path", RECORDED),
    gone(ALL, "recording-name", RECORDED),
    gone(ALL, "create-recording-path", RECORDED),
    gone(ALL, "recording-write-existing", RECORDED),
    later(ALL, "recording-exclude-output", "recording"),
    later(ALL, "recording-exclude-mouse", "recording"),
    later("rdp", "recording-exclude-touch", "recording"),
    later(ALL, "recording-include-keys", "recording"),
    // Wake-on-LAN.
    later(ALL, "wol-send-packet", "wake_on_lan"),
    later(ALL, "wol-mac-addr", "wake_mac"),
    later(ALL, "wol-broadcast-addr", "wake_broadcast"),
    later(ALL, "wol-udp-port", "wake_port"),
    later(ALL, "wol-wait-time", "wake_seconds"),
    // SFTP beside a session.
    later("vnc rdp ssh", "enable-sftp", "sftp"),
    later("vnc rdp", "sftp-hostname", "sftp_host"),
    later("vnc rdp", "sftp-port", "sftp_port"),
    later("vnc rdp", "sftp-timeout", "sftp_seconds"),
    later("vnc rdp", "sftp-host-key", "sftp_identity"),
    later("vnc rdp", "sftp-username", "sftp_user"),
    later("vnc rdp", "sftp-password", "sftp_password"),
    later("vnc rdp", "sftp-private-key", "sftp_private_key"),
    later("vnc rdp", "sftp-passphrase", "sftp_passphrase"),
    later("vnc rdp", "sftp-public-key", "sftp_certificate"),
    later("vnc rdp", "sftp-directory", "sftp_folder"),
    later("vnc rdp ssh", "sftp-root-directory", "sftp_root"),
    gone("vnc rdp", "sftp-server-alive-interval", "asked every 30 seconds, always"),
    later("vnc rdp ssh", "sftp-disable-download", "files"),
    later("vnc rdp ssh", "sftp-disable-upload", "files"),
    // Kubernetes: Oriel has no such machines yet.
    later("kubernetes", "hostname", "address"),
    later("kubernetes", "port", "address"),
    later("kubernetes", "namespace", "namespace"),
    later("kubernetes", "pod", "pod"),
    later("kubernetes", "container", "container"),
    later("kubernetes", "exec-command", "command"),
    later("kubernetes", "use-ssl", "tls"),
    later("kubernetes", "client-cert", "client_certificate"),
    later("kubernetes", "client-key", "client_key"),
    later("kubernetes", "ca-cert", "identity"),
    gone("kubernetes", "ignore-cert", "a cluster's certificate is checked, always"),
];

/// The table as Markdown, which `docs/external-machines.md` holds.
pub fn markdown() -> String {
    let mut text = String::from("| Guacamole | protocols | Oriel | today |\n|---|---|---|---|\n");
    for parameter in TABLE {
        let ours = if parameter.ours.is_empty() { "–".to_owned() } else { format!("`{}`", parameter.ours) };
        let today = match (parameter.status, parameter.why) {
            (Status::Works, "") => "works".to_owned(),
            (Status::Works, why) => format!("works; {why}"),
            (Status::Later, _) => "later".to_owned(),
            (Status::Gone, why) => format!("no longer makes sense: {why}"),
        };
        let protocols = parameter.protocols.replace(' ', ", ");
        // Writing into a String does not fail.
        writeln!(text, "| `{}` | {protocols} | {ours} | {today} |", parameter.name).ok();
    }
    text
}
