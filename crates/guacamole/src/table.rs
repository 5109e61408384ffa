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
    /// Names of the tests that see it take effect, separated by blanks.
    pub tests: &'static str,
}

impl Parameter {
    pub fn is_of(&self, protocol: &str) -> bool {
        self.protocols.split(' ').any(|of| of == protocol)
    }
}

const ALL: &str = "vnc rdp ssh telnet";
const SCREENS: &str = "vnc rdp";
const TERMINALS: &str = "ssh telnet kubernetes";
const EVERY: &str = "vnc rdp ssh telnet kubernetes";

// Real servers, through the API and the gateway (crates/oriel/tests/external).
const VNC: &str = "screens_by_vnc";
const X509: &str = "a_vnc_server_with_a_certificate_that_changes";
const RDP: &str = "a_screen_by_rdp";
const SSH: &str = "a_shell_by_ssh_and_a_host_key_that_changes";
const WAYS: &str = "shells_by_password_certificate_and_jump_host";
const TELNET: &str = "a_shell_by_telnet";
// An API server made for the test (crates/terminal/tests/machines/kubernetes.rs).
const CLUSTER: &str = "a_shell_in_a_container";
const CLUSTER_KEY: &str = "a_cluster_that_wants_a_certificate";
// On both sides of the gateway (crates/gateway/tests/rules.rs), and of the importer.
const RULES: &str = "rules_of_connections_become_rules_of_pools";
// What is entered, up to the options of the clients (crates/oriel/src/wires.rs).
const WIRES: &str = "what_is_entered_reaches_the_clients";

// What is said to a machine, read on the way to a real server (crates/rdp/tests/told.rs).
const LOOKS: &str = "looks_are_said_as_what_is_missing what_the_machine_is_told";
const HYPER_V: &str = "preconnection_messages_of_both_kinds a_console_of_hyper_v";

// The bytes of the specification (crates/rdp/src/rail/tests.rs): no server of ours speaks it.
const REMOTE_APP: &str = "a_remote_app_is_asked_for why_a_remote_app_does_not_run";

// A gateway of the test in front of a real server (crates/rdp/tests/told.rs).
const GATEWAY: &str = "a_machine_behind_a_gateway what_is_entered_reaches_the_clients";

const WAKE: &str = "a_machine_that_sleeps_is_woken a_packet_wakes_where_it_may_go";

const fn works(protocols: &'static str, name: &'static str, ours: &'static str, tests: &'static str) -> Parameter {
    Parameter { protocols, name, ours, status: Status::Works, why: "", tests }
}

const fn noted(
    protocols: &'static str,
    name: &'static str,
    ours: &'static str,
    tests: &'static str,
    why: &'static str,
) -> Parameter {
    Parameter { protocols, name, ours, status: Status::Works, why, tests }
}

const fn later(protocols: &'static str, name: &'static str, ours: &'static str) -> Parameter {
    Parameter { protocols, name, ours, status: Status::Later, why: "", tests: "" }
}

const fn gone(protocols: &'static str, name: &'static str, why: &'static str) -> Parameter {
    Parameter { protocols, name, ours: "", status: Status::Gone, why, tests: "" }
}

const OF_POOL: &str =
    "a rule of the machine's pool (`oriel pool set --policy`); the importer makes a pool for each set of rules";
const RECORDED: &str = "recording is a pool's policy, and its files are Oriel's to keep";
const PICTURES: &str = "the viewer and the machine agree on it";
const FILES: &str = "files of a session have a place of their own in Oriel";
const TERMINAL: &str = "each person chooses it in the viewer";

/// By protocol and kind.
pub const TABLE: &[Parameter] = &[
    // Where and who.
    works("vnc", "hostname", "address", VNC),
    works("rdp", "hostname", "address", RDP),
    works("ssh", "hostname", "address", SSH),
    works("telnet", "hostname", "address", TELNET),
    works("vnc", "port", "address", VNC),
    works("rdp", "port", "address", RDP),
    works("ssh", "port", "address", SSH),
    works("telnet", "port", "address", TELNET),
    noted("rdp ssh telnet", "timeout", "timeout_seconds", "dialling_ends_in_time", "for VNC too; 40 at most"),
    works("vnc", "username", "user", X509),
    works("rdp", "username", "user", RDP),
    works("ssh", "username", "user", SSH),
    works("telnet", "username", "user", TELNET),
    noted("vnc", "password", "password", VNC, "sealed"),
    noted("rdp", "password", "password", RDP, "sealed"),
    noted("ssh", "password", "password", WAYS, "sealed; asked for in the terminal when unset"),
    noted("telnet", "password", "password", TELNET, "sealed"),
    works("rdp", "domain", "domain", RDP),
    works("ssh", "private-key", "private_key", SSH),
    works("ssh", "passphrase", "passphrase", WAYS),
    works("ssh", "public-key", "certificate", WAYS),
    noted("ssh", "host-key", "identity", SSH, "kept from the first connection when unset"),
    noted("rdp", "cert-fingerprints", "identity", RDP, "one SHA-256; kept from the first connection when unset"),
    noted("rdp", "cert-tofu", "identity", RDP, "always so: the first certificate is kept, another is refused"),
    noted("rdp", "ignore-cert", "identity", RDP, "the first certificate is kept instead, another is refused"),
    noted(
        "rdp",
        "security",
        "security",
        RDP,
        "`any`, `nla` (also for `nla-ext`), `tls` and `vmconnect`; `rdp` is not spoken",
    ),
    // Of GUACAMOLE-2057, where its server is built with FreeRDP 3.
    noted(
        "rdp",
        "auth-pkg",
        "authentication",
        "a_ticket_of_a_real_kdc_signs_in",
        "`kerberos` or `ntlm`; the realm must be one of the configuration's",
    ),
    gone("rdp", "kdc-url", "the configuration says which KDCs a realm has (`kerberos.realms`)"),
    gone("rdp", "kerberos-cache", "tickets are asked for with the kept password, and kept nowhere"),
    gone("rdp", "disable-auth", "without a password the machine asks by itself"),
    // Terminals.
    works("ssh", "command", "command", SSH),
    works("ssh", "locale", "locale", SSH),
    works("ssh", "terminal-type", "terminal_type", SSH),
    works("telnet", "terminal-type", "terminal_type", TELNET),
    works("ssh", "timezone", "time_zone", SSH),
    works("ssh", "enable-agent", "agent_forwarding", WAYS),
    gone("ssh", "server-alive-interval", "asked every 30 seconds, always"),
    works("telnet", "username-regex", "user_prompt", TELNET),
    works("telnet", "password-regex", "password_prompt", TELNET),
    works("telnet", "login-success-regex", "success_pattern", TELNET),
    works("telnet", "login-failure-regex", "failure_pattern", TELNET),
    gone(TERMINALS, "color-scheme", TERMINAL),
    gone(TERMINALS, "font-name", TERMINAL),
    gone(TERMINALS, "font-size", TERMINAL),
    gone(TERMINALS, "scrollback", TERMINAL),
    noted("ssh", "backspace", "backspace", WAYS, "127 or 8"),
    noted("telnet", "backspace", "backspace", TELNET, "127 or 8"),
    noted("kubernetes", "backspace", "backspace", WIRES, "127 or 8"),
    gone(TERMINALS, "typescript-path", RECORDED),
    gone(TERMINALS, "typescript-name", RECORDED),
    gone(TERMINALS, "create-typescript-path", RECORDED),
    gone(TERMINALS, "typescript-write-existing", RECORDED),
    // VNC.
    gone("vnc", "encodings", PICTURES),
    gone("vnc", "swap-red-blue", "colours are asked for in the order that Oriel draws them"),
    gone("vnc", "cursor", "the pointer is drawn by the browser, always"),
    gone("vnc", "compress-level", PICTURES),
    works(
        "vnc",
        "quality-level",
        "jpeg_quality",
        "what_is_entered_reaches_the_clients a_jpeg_is_handed_on_and_painted_for_who_comes_later",
    ),
    gone("vnc", "autoretry", "the viewer connects again by itself"),
    gone("vnc", "clipboard-encoding", "the extended clipboard's Unicode where the server has it"),
    works("vnc", "dest-host", "repeater", "a_repeater_is_told_whom_to_reach what_is_entered_reaches_the_clients"),
    works("vnc", "dest-port", "repeater", "a_repeater_is_told_whom_to_reach what_is_entered_reaches_the_clients"),
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
    gone("rdp", "secondary-monitors", "the person adds monitors in the tab, up to eight"),
    works("rdp", "disable-gfx", "graphics_pipeline", RDP),
    gone(
        "rdp",
        "enable-touch",
        "fingers touch the machine itself wherever it takes that; the person may choose otherwise in the tab",
    ),
    // RDP sessions.
    works("rdp", "server-layout", "keyboard", WIRES),
    works("rdp", "client-name", "client_name", WIRES),
    works("rdp", "timezone", "time_zone", "clocks_that_change_and_clocks_that_do_not what_the_machine_is_told"),
    works("rdp", "console", "admin_session", "what_the_machine_is_told"),
    works("rdp", "initial-program", "initial_program", "what_the_machine_is_told one_program_instead_of_the_desktop"),
    noted(
        "rdp",
        "remote-app",
        "remote_app",
        REMOTE_APP,
        "on Windows; the picture is the machine's whole screen, as in Guacamole, and what runs no RemoteApp is left after two minutes at most",
    ),
    works("rdp", "remote-app-dir", "remote_app_folder", REMOTE_APP),
    works("rdp", "remote-app-args", "remote_app_arguments", REMOTE_APP),
    later("rdp", "static-channels", "static_channels"),
    gone(SCREENS, "normalize-clipboard", "line ends are the machine's, always"),
    works("rdp", "preconnection-id", "preconnection_id", HYPER_V),
    works("rdp", "preconnection-blob", "preconnection_blob", HYPER_V),
    noted(
        "rdp",
        "load-balance-info",
        "load_balance_info",
        "a_machine_sends_the_connection_on",
        "a redirection is followed then, to machines that prove themselves (`follow_redirection`)",
    ),
    noted(
        "rdp",
        "gateway-hostname",
        "gateway_host",
        GATEWAY,
        "over a WebSocket, or the two channels of older gateways; the gateway's certificate is kept from the first connection",
    ),
    works("rdp", "gateway-port", "gateway_port", GATEWAY),
    noted("rdp", "gateway-username", "gateway_user", GATEWAY, "the machine's account without one"),
    noted("rdp", "gateway-password", "gateway_password", GATEWAY, "sealed"),
    works("rdp", "gateway-domain", "gateway_domain", GATEWAY),
    // RDP devices.
    works(
        "rdp",
        "disable-audio",
        "sound",
        "what_is_entered_reaches_the_clients an_xrdp_desktop_is_heard_unless_the_rule_says_no",
    ),
    later("rdp", "console-audio", "sound_on_machine"),
    noted("rdp", "enable-printing", "printing", RULES, OF_POOL),
    noted(
        "rdp",
        "enable-audio-input",
        "microphone",
        "rules_of_connections_become_rules_of_pools a_microphone_is_heard_where_a_rule_says_so_and_of_the_owner_alone \
         what_programs_of_an_xrdp_desktop_record_is_what_the_person_says",
        OF_POOL,
    ),
    later("rdp", "printer-name", "printer_name"),
    noted("rdp", "enable-drive", "files", RULES, OF_POOL),
    later("rdp", "drive-name", "drive_name"),
    gone("rdp", "drive-path", FILES),
    gone("rdp", "create-drive-path", FILES),
    noted("rdp", "disable-download", "files", RULES, OF_POOL),
    noted("rdp", "disable-upload", "files", RULES, OF_POOL),
    // RDP's looks.
    noted("rdp", "enable-wallpaper", "wallpaper", LOOKS, "on when unset"),
    noted("rdp", "enable-theming", "theming", LOOKS, "on when unset"),
    noted("rdp", "enable-font-smoothing", "font_smoothing", LOOKS, "on when unset"),
    works("rdp", "enable-full-window-drag", "full_window_drag", LOOKS),
    works("rdp", "enable-desktop-composition", "desktop_composition", LOOKS),
    works("rdp", "enable-menu-animations", "menu_animations", LOOKS),
    gone("rdp", "disable-bitmap-caching", PICTURES),
    gone("rdp", "disable-offscreen-caching", PICTURES),
    gone("rdp", "disable-glyph-caching", PICTURES),
    // Policies that Guacamole keeps with each connection.
    noted(EVERY, "read-only", "view_only", RULES, OF_POOL),
    noted(EVERY, "disable-copy", "clipboard", RULES, OF_POOL),
    noted(EVERY, "disable-paste", "clipboard", RULES, OF_POOL),
    gone(EVERY, "clipboard-buffer-size", "1 MiB of text, always"),
    gone(EVERY, "recording-path", RECORDED),
    gone(EVERY, "recording-name", RECORDED),
    gone(EVERY, "create-recording-path", RECORDED),
    gone(EVERY, "recording-write-existing", RECORDED),
    later(EVERY, "recording-exclude-output", "recording"),
    later(EVERY, "recording-exclude-mouse", "recording"),
    later("rdp", "recording-exclude-touch", "recording"),
    later(EVERY, "recording-include-keys", "recording"),
    // Wake-on-LAN.
    noted(
        ALL,
        "wol-send-packet",
        "wake_mac",
        WAKE,
        "when a network card is given; only where the machine does not answer",
    ),
    works(ALL, "wol-mac-addr", "wake_mac", WAKE),
    noted(ALL, "wol-broadcast-addr", "wake_broadcast", WAKE, "held to `external.allow`"),
    works(ALL, "wol-udp-port", "wake_port", WAKE),
    noted(ALL, "wol-wait-time", "wake_seconds", WAKE, "opened as soon as it answers; 120 when unset"),
    // SFTP beside a session.
    noted("ssh", "enable-sftp", "files", RULES, OF_POOL),
    later("vnc rdp", "enable-sftp", "sftp"),
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
    later("vnc rdp", "sftp-root-directory", "sftp_root"),
    noted(
        "ssh",
        "sftp-root-directory",
        "sftp_root",
        "what_is_entered_reaches_the_clients nobody_leaves_the_root",
        "the account's home when unset, where Guacamole has everything",
    ),
    gone("vnc rdp", "sftp-server-alive-interval", "asked every 30 seconds, always"),
    noted("ssh", "sftp-disable-download", "files", RULES, OF_POOL),
    noted("ssh", "sftp-disable-upload", "files", RULES, OF_POOL),
    later("vnc rdp", "sftp-disable-download", "files"),
    later("vnc rdp", "sftp-disable-upload", "files"),
    // Kubernetes.
    works("kubernetes", "hostname", "address", CLUSTER),
    noted("kubernetes", "port", "address", CLUSTER, "6443 when unset, not 8080"),
    works("kubernetes", "namespace", "namespace", CLUSTER),
    works("kubernetes", "pod", "pod", CLUSTER),
    works("kubernetes", "container", "container", CLUSTER),
    noted("kubernetes", "exec-command", "command", CLUSTER, "may have several words"),
    gone("kubernetes", "use-ssl", "always on"),
    works("kubernetes", "client-cert", "certificate", CLUSTER_KEY),
    works("kubernetes", "client-key", "private_key", CLUSTER_KEY),
    noted(
        "kubernetes",
        "ca-cert",
        "identity",
        CLUSTER,
        "the API server's own certificate instead, kept from the first connection when unset",
    ),
    gone("kubernetes", "ignore-cert", "the first certificate is kept instead, another is refused"),
];

/// The table as Markdown, which `docs/external-machines.md` holds.
pub fn markdown() -> String {
    let mut text = String::from("| Guacamole | protocols | Oriel | today | tested by |\n|---|---|---|---|---|\n");
    for parameter in TABLE {
        let ours = if parameter.ours.is_empty() { "–".to_owned() } else { format!("`{}`", parameter.ours) };
        let today = match (parameter.status, parameter.why) {
            (Status::Works, "") => "works".to_owned(),
            (Status::Works, why) => format!("works; {why}"),
            (Status::Later, _) => "later".to_owned(),
            (Status::Gone, why) => format!("no longer makes sense: {why}"),
        };
        let protocols = parameter.protocols.replace(' ', ", ");
        let tests: Vec<String> = parameter.tests.split_whitespace().map(|test| format!("`{test}`")).collect();
        let tests = tests.join(", ");
        // Writing into a String does not fail.
        writeln!(text, "| `{}` | {protocols} | {ours} | {today} | {tests} |", parameter.name).ok();
    }
    text
}
