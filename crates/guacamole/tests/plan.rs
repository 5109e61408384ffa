//! Guacamole's file and rows, up to the plan.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "these are tests")]

use oriel_guacamole::*;
use oriel_model::MachineProtocol;
use secrecy::ExposeSecret as _;
use std::collections::BTreeSet;

const SAMPLE: &str = include_str!("user-mapping.xml");

fn names(users: &BTreeSet<String>) -> Vec<&str> {
    users.iter().map(String::as_str).collect()
}

#[test]
fn a_file_becomes_pools_of_machines_for_the_same_people() {
    let made = plan(parse_user_mapping(SAMPLE).unwrap());
    assert_eq!(made.people, ["ada", "bob", "eve"]);
    let pools: Vec<(Vec<&str>, Vec<&str>)> = made
        .pools
        .iter()
        .map(|pool| (names(&pool.users), pool.machines.iter().map(|machine| machine.name.as_str()).collect()))
        .collect();
    assert_eq!(
        pools,
        [
            (vec!["ada"], vec!["ada"]),
            (vec!["bob"], vec!["windows-2nd-floor"]),
            (vec!["bob"], vec!["build-server"]),
            (vec!["bob", "eve"], vec!["shared-screen"]),
        ]
    );
    for pool in &made.pools {
        assert!(pool.name.as_str().starts_with("guacamole-"), "{}", pool.name);
    }
    let rules: Vec<String> = made.pools.iter().map(|pool| pool.policy.to_string()).collect();
    let off = "files=off,printing=off";
    assert_eq!(rules, [off, off, "printing=off", off], "files and prints only where they were turned on");
    let screen = &made.pools[0].machines[0];
    assert_eq!((screen.external.host.as_str(), screen.external.port), ("10.20.0.11", 5901));
    assert_eq!(screen.password.as_ref().unwrap().expose_secret(), "a & b €");
    let shell = &made.pools[2].machines[0];
    assert_eq!(shell.external.protocol, MachineProtocol::Ssh);
    assert_eq!(shell.external.user.as_deref(), Some("bob"));
    assert_eq!(shell.external.parameters.command.as_deref(), Some("tmux attach"));
    assert!(shell.external.identity.as_ref().unwrap().starts_with("ssh-ed25519 AAAA"));
    assert!(shell.private_key.as_ref().unwrap().expose_secret().contains("PRIVATE KEY-----\nb3Bl"));
    let windows = &made.pools[1].machines[0];
    assert_eq!(windows.external.parameters.keyboard.as_deref(), Some("de"));
    assert_eq!(windows.external.user, None);
    let left: Vec<String> = made.left.iter().map(|left| format!("{}: {}", left.what, left.reason)).collect();
    let said = |what: &str, why: &str| {
        assert!(left.iter().any(|l| l.starts_with(what) && l.contains(why)), "{what} in {left:#?}");
    };
    said("connection \"ada\", enable-audio", "PulseAudio");
    said("connection \"Build server\", font-size", "viewer");
    said("connection \"Windows (2nd floor)\", username", "token");
    said("connection \"Windows (2nd floor)\", ignore-cert", "first certificate is kept");
    said("connection \"Windows (2nd floor)\", frobnicate", "no such parameter");
    said("connection \"Cluster\"", "pod is missing");
    said("connection \"Nowhere\"", "no hostname");
    said("<surprise> in line 61", "no such element");
    said("connections outside of groups", "becomes 4 pools");
    assert!(!left.iter().any(|l| l.contains("swap-red-blue")), "what is off is not worth a line");
    assert!(!format!("{made:?}").contains("winter"), "secrets are not printed");
}

#[test]
fn the_same_file_gives_the_same_plan() {
    let one = format!("{:?}", plan(parse_user_mapping(SAMPLE).unwrap()));
    assert_eq!(one, format!("{:?}", plan(parse_user_mapping(SAMPLE).unwrap())));
}

#[test]
fn what_is_no_user_mapping_is_refused() {
    let fails = |text: &str| parse_user_mapping(text).unwrap_err();
    assert_eq!(fails("<!DOCTYPE x [<!ENTITY a \"b\">]><user-mapping/>"), ParseError::DocumentType);
    assert_eq!(
        fails("<user-mapping><authorize username='a'><protocol>&b;</protocol></authorize></user-mapping>"),
        ParseError::Entity("b".into())
    );
    assert_eq!(fails("<html/>"), ParseError::NotAUserMapping("html".into()));
    assert_eq!(fails(""), ParseError::NotAUserMapping(String::new()));
    assert!(matches!(fails("<user-mapping><authorize/></user-mapping>"), ParseError::Missing { line: 1, .. }));
    for broken in ["<user-mapping>", "<user-mapping></x>", "<user-mapping", "<user-mapping><authorize username='a'>"] {
        assert!(matches!(fails(broken), ParseError::Xml(_)), "{broken}");
    }
    assert!(matches!(fails(&format!("<user-mapping>{}", "<a>".repeat(100))), ParseError::TooMany { .. }));
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    let text = format!("<user-mapping><authorize username='a'><protocol>{long}</protocol></authorize></user-mapping>");
    assert!(matches!(fails(&text), ParseError::TooMany { .. }));
    assert!(matches!(fails(&" ".repeat(FILE_BYTES_MAX + 1)), ParseError::TooLarge(_)));
}

fn rows() -> Rows {
    let connection = |id, parent, name: &str, protocol: &str| ConnectionRow {
        id,
        parent,
        name: name.into(),
        protocol: protocol.into(),
        limited: false,
    };
    let user =
        |entity, name: &str| UserRow { entity, name: name.into(), disabled: false, admin: false, restricted: false };
    let host = |connection, host: &str| ParameterRow { connection, name: "hostname".into(), value: host.into() };
    Rows {
        groups: vec![
            GroupRow { id: 1, parent: None, name: "Office".into(), balancing: false, limited: false },
            GroupRow { id: 2, parent: Some(1), name: "Büro 2".into(), balancing: true, limited: true },
            // A circle, which the database does not forbid.
            GroupRow { id: 3, parent: Some(4), name: "a".into(), balancing: false, limited: false },
            GroupRow { id: 4, parent: Some(3), name: "b".into(), balancing: false, limited: false },
        ],
        connections: vec![
            connection(1, Some(1), "Desk", "rdp"),
            connection(2, Some(1), "desk", "vnc"),
            connection(3, Some(2), "Lab", "ssh"),
            connection(4, Some(3), "Round", "ssh"),
        ],
        parameters: vec![host(1, "a.example"), host(2, "b.example"), host(3, "c.example"), host(4, "d.example")],
        users: vec![
            UserRow { admin: true, ..user(10, "root") },
            user(11, "ada"),
            user(12, "bob"),
            UserRow { disabled: true, ..user(13, "gone") },
        ],
        // ada is in the inner group, which is in the outer one, which contains itself.
        members: vec![
            MemberRow { group: 20, member: 21 },
            MemberRow { group: 21, member: 11 },
            MemberRow { group: 21, member: 20 },
        ],
        permissions: vec![
            PermissionRow { entity: 20, connection: 1 },
            PermissionRow { entity: 11, connection: 2 },
            PermissionRow { entity: 13, connection: 2 },
            PermissionRow { entity: 12, connection: 3 },
        ],
        sharing: vec![SharingRow { name: "watch".into(), connection: 1 }],
    }
}

#[test]
fn rows_become_pools_by_group_and_people_by_membership() {
    let made = plan(rows().into_site());
    assert_eq!(made.people, ["ada", "bob", "root"]);
    let pools: Vec<(&str, Vec<&str>, Vec<&str>)> = made
        .pools
        .iter()
        .map(|pool| {
            (
                pool.name.as_str(),
                names(&pool.users),
                pool.machines.iter().map(|machine| machine.name.as_str()).collect(),
            )
        })
        .collect();
    assert_eq!(pools[0], ("office", vec!["ada"], vec!["desk", "desk-2"]));
    assert_eq!(pools[1], ("office-b-ro-2", vec!["bob"], vec!["lab"]));
    // Nobody may open it, and it is still brought in.
    assert_eq!((&pools[2].1, &pools[2].2), (&vec![], &vec!["round"]));
    let left = format!("{:?}", made.left);
    for said in [
        "disabled",
        "administrator \\\"root\\\"",
        "balances",
        "limits of connections",
        "sharing profile \\\"watch\\\" of \\\"Desk\\\"",
    ] {
        assert!(left.contains(said), "{said}: {left}");
    }
}

#[test]
fn a_pool_for_other_people_has_another_name() {
    let split = |extra: Option<PermissionRow>| {
        let mut rows = rows();
        rows.permissions.push(PermissionRow { entity: 12, connection: 2 });
        rows.permissions.extend(extra);
        plan(rows.into_site()).pools.into_iter().map(|pool| (pool.name.to_string(), pool.users)).collect::<Vec<_>>()
    };
    let before = split(None);
    let after = split(Some(PermissionRow { entity: 10, connection: 2 }));
    let of = |pools: &[(String, BTreeSet<String>)], users: &[&str]| {
        pools
            .iter()
            .find(|(_, of)| of.iter().map(String::as_str).eq(users.iter().copied()))
            .map(|(name, _)| name.clone())
    };
    assert_ne!(of(&before, &["ada", "bob"]).unwrap(), of(&after, &["ada", "bob", "root"]).unwrap());
    assert_eq!(of(&before, &["ada"]), of(&after, &["ada"]));
}

/// The text of all that may hold tests.
fn tests_of_the_house() -> String {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))];
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

fn one(protocol: &str, parameters: &[(&str, &str)]) -> Plan {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let connection = Connection {
        name: "Desk".to_owned(),
        group: Vec::new(),
        protocol: protocol.to_owned(),
        parameters: parameters.chain([("hostname".to_owned(), "a.example".to_owned())]).collect(),
        users: BTreeSet::new(),
    };
    plan(Site { people: Vec::new(), connections: vec![connection], left: Vec::new() })
}

#[test]
fn parameters_of_each_protocol_have_their_places() {
    let machine = |protocol, given: &[(&str, &str)]| {
        let mut made = one(protocol, given);
        let left = format!("{:?}", made.left);
        (made.pools.remove(0).machines.remove(0).external.parameters, left)
    };
    let (rdp, left) = machine("rdp", &[("security", "nla-ext"), ("disable-gfx", "true"), ("ignore-cert", "true")]);
    assert_eq!((rdp.security, rdp.graphics_pipeline), (Some(oriel_model::RdpSecurity::Nla), Some(false)));
    assert!(left.contains("first certificate is kept instead"), "{left}");
    let (rdp, left) = machine("rdp", &[("auth-pkg", "ntlm"), ("kdc-url", "tcp://dc1.corp.example")]);
    assert_eq!(rdp.authentication, Some(oriel_model::RdpAuthentication::Ntlm));
    assert!(left.contains("the configuration says which KDCs"), "{left}");
    let (rdp, left) = machine("rdp", &[("security", "rdp"), ("disable-gfx", "false")]);
    assert_eq!((rdp.security, rdp.graphics_pipeline), (None, None));
    assert!(left.contains("does not speak that"), "{left}");
    let (rdp, left) = machine(
        "rdp",
        &[
            ("security", "vmconnect"),
            ("preconnection-blob", "b85d3d4c"),
            ("enable-wallpaper", "false"),
            ("enable-menu-animations", "true"),
            ("initial-program", "mail.exe"),
            ("load-balance-info", "tsv://farm"),
            ("disable-audio", "true"),
            ("timezone", "Europe/Berlin"),
        ],
    );
    assert_eq!(
        (rdp.security, rdp.preconnection_blob.as_deref()),
        (Some(oriel_model::RdpSecurity::Vmconnect), Some("b85d3d4c"))
    );
    assert_eq!((rdp.wallpaper, rdp.menu_animations, rdp.sound), (Some(false), Some(true), Some(false)));
    assert_eq!(
        (rdp.initial_program.as_deref(), rdp.load_balance_info.as_deref()),
        (Some("mail.exe"), Some("tsv://farm"))
    );
    assert_eq!((rdp.time_zone.as_deref(), left.as_str()), (Some("Europe/Berlin"), "[]"));
    let app = [("remote-app", "||mail"), ("remote-app-dir", "C:\\Mail"), ("remote-app-args", "/new")];
    let (rdp, left) = machine("rdp", &app);
    assert_eq!((rdp.remote_app.as_deref(), rdp.remote_app_folder.as_deref()), (Some("||mail"), Some("C:\\Mail")));
    assert_eq!((rdp.remote_app_arguments.as_deref(), left.as_str()), (Some("/new"), "[]"));
    let (rdp, left) = machine("rdp", &[&app[..1], &[("initial-program", "mail.exe")]].concat());
    assert_eq!((rdp.remote_app.as_deref(), rdp.initial_program.as_deref()), (Some("||mail"), None));
    assert!(left.contains("its remote-app is run instead"), "{left}");
    let (rdp, left) = machine("rdp", &app[1..]);
    assert_eq!((rdp.remote_app_folder, rdp.remote_app_arguments), (None, None));
    assert!(left.contains("no remote-app that it could be for"), "{left}");
    let edge = [("gateway-hostname", "edge.example"), ("gateway-port", "8443"), ("gateway-username", "olga")];
    let secret = [("gateway-password", "offen"), ("gateway-domain", "EDGE")];
    let (rdp, left) = machine("rdp", &[&edge[..], &secret].concat());
    assert_eq!((rdp.gateway(), rdp.gateway_user.as_deref()), (Some(("edge.example", 8443)), Some("olga")));
    assert_eq!((rdp.gateway_domain.as_deref(), left.as_str()), (Some("EDGE"), "[]"));
    let (rdp, left) = machine("rdp", &[&edge[..1], &secret].concat());
    assert_eq!((rdp.gateway(), rdp.gateway_domain.as_deref()), (Some(("edge.example", 443)), None));
    assert!(left.contains("the machine's account is used"), "{left}");
    let (rdp, left) = machine("rdp", &secret);
    assert!(rdp.gateway().is_none() && left.contains("no gateway-hostname"), "{left}");
    let wol = [("wol-mac-addr", "52:54:00:12:34:56"), ("wol-wait-time", "90"), ("wol-udp-port", "7")];
    let (vnc, left) = machine("vnc", &[&wol[..], &[("wol-send-packet", "true")]].concat());
    let wake = vnc.wake().unwrap();
    assert_eq!((wake.to.to_string().as_str(), wake.seconds, left.as_str()), ("255.255.255.255:7", 90, "[]"));
    let (vnc, _) = machine("vnc", &wol);
    assert_eq!((vnc.wake_mac, vnc.wake_seconds), (None, None));
    let (vnc, _) = machine("vnc", &[("dest-host", "10.0.0.7"), ("dest-port", "5901"), ("quality-level", "7")]);
    assert_eq!((vnc.repeater.as_deref(), vnc.jpeg_quality), (Some("10.0.0.7:5901"), Some(7)));
    let (telnet, left) =
        machine("telnet", &[("username-regex", "name:"), ("login-failure-regex", "no"), ("backspace", "8")]);
    assert_eq!((telnet.user_prompt.as_deref(), telnet.failure_pattern.as_deref()), (Some("name:"), Some("no")));
    assert_eq!((telnet.backspace, left.as_str()), (Some(oriel_model::Backspace::ControlH), "[]"));
    let (ssh, left) =
        machine("ssh", &[("enable-agent", "true"), ("public-key", "ssh-ed25519 AAAA x"), ("timezone", "UTC")]);
    assert_eq!((ssh.agent_forwarding, ssh.certificate, ssh.time_zone.as_deref()), (None, None, Some("UTC")));
    assert!(left.contains("no private key") && left.contains("no OpenSSH certificate"), "{left}");
    let line = "ssh-ed25519-cert-v01@openssh.com AAAAone";
    let (ssh, _) = machine("ssh", &[("public-key", line), ("private-key", "x"), ("enable-agent", "true")]);
    assert_eq!((ssh.agent_forwarding, ssh.certificate.as_deref()), (Some(true), Some(line)));
}

#[test]
fn rules_of_connections_become_rules_of_pools() {
    for (protocol, given, rules) in [
        ("vnc", &[("read-only", "true")][..], "files=off,printing=off,view_only"),
        (
            "rdp",
            &[("disable-copy", "true"), ("enable-drive", "true"), ("disable-upload", "true")],
            "clipboard=to_machine,files=download,printing=off",
        ),
        ("rdp", &[("enable-drive", "true")], "printing=off"),
        ("rdp", &[("enable-drive", "true"), ("enable-printing", "true")], "default"),
        (
            "rdp",
            &[("enable-drive", "true"), ("disable-download", "true"), ("disable-upload", "true")],
            "files=off,printing=off",
        ),
        ("rdp", &[("enable-drive", "true"), ("enable-audio-input", "true")], "printing=off,microphone=on"),
        ("vnc", &[("enable-audio-input", "true")], "files=off,printing=off"),
        // SFTP beside a session is not its drive.
        ("rdp", &[("enable-sftp", "true"), ("sftp-disable-download", "true")], "files=off,printing=off"),
        (
            "rdp",
            &[("enable-drive", "true"), ("disable-download", "true"), ("enable-sftp", "true")],
            "files=upload,printing=off",
        ),
        ("vnc", &[("enable-sftp", "true")], "files=off,printing=off"),
        (
            "ssh",
            &[("disable-paste", "true"), ("enable-sftp", "true"), ("sftp-disable-download", "true")],
            "clipboard=to_person,files=upload,printing=off",
        ),
        ("ssh", &[("read-only", "false"), ("enable-sftp", "true")], "printing=off"),
        ("ssh", &[("enable-sftp", "true"), ("sftp-root-directory", "/srv/out")], "printing=off"),
        ("ssh", &[("enable-sftp", "true"), ("sftp-root-directory", "/srv/${GUAC_USERNAME}")], "files=off,printing=off"),
        ("telnet", &[], "files=off,printing=off"),
    ] {
        let made = one(protocol, given);
        assert_eq!(made.pools[0].policy.to_string(), rules, "{protocol} {given:?}");
    }
    // Alike in all but a rule: pools of their own, whose names say so.
    let desk = |name: &str, read_only: &str| Connection {
        name: name.to_owned(),
        group: vec!["office".to_owned()],
        protocol: "vnc".to_owned(),
        parameters: [("hostname", "a.example"), ("read-only", read_only)]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into(),
        users: BTreeSet::new(),
    };
    let connections = vec![desk("one", "false"), desk("two", "true"), desk("three", "false")];
    let made = plan(Site { people: Vec::new(), connections, left: Vec::new() });
    let machines: Vec<usize> = made.pools.iter().map(|pool| pool.machines.len()).collect();
    assert_eq!(machines, [2, 1]);
    assert_ne!(made.pools[0].name, made.pools[1].name);
    assert!(format!("{:?}", made.left).contains("under the same rules: it becomes 2 pools"));
}

#[test]
fn nobody_gets_more_than_before() {
    for (protocol, name, value) in [
        ("vnc", "read-only", "${LDAP_RO}"),
        ("rdp", "disable-copy", "perhaps"),
        ("rdp", "disable-download", "${X}"),
        ("rdp", "remote-app", "${APP}"),
    ] {
        let made = one(protocol, &[(name, value)]);
        assert!(made.pools.is_empty(), "{name}");
        let left = format!("{:?}", made.left);
        assert!(left.contains(&format!("{name} cannot be kept to yet")), "{left}");
        assert_eq!(one(protocol, &[(name, "false")]).pools.len(), 1, "{name}");
    }
}

#[test]
fn the_table_is_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/external-machines.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once("<!-- table -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of table -->").unwrap();
    let wanted = format!("{before}<!-- table -->\n{}<!-- end of table -->{after}", markdown());
    if std::env::var_os("ORIEL_WRITE_DOCS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == wanted, "write it with this test and ORIEL_WRITE_DOCS=1");
    let tests = tests_of_the_house();
    let mut seen = BTreeSet::new();
    for parameter in TABLE {
        assert_eq!(parameter.status == Status::Works, !parameter.tests.is_empty(), "{}", parameter.name);
        for test in parameter.tests.split(' ').filter(|test| !test.is_empty()) {
            assert!(tests.contains(&format!("fn {test}(")), "{}: there is no test {test}", parameter.name);
        }
        for protocol in parameter.protocols.split(' ') {
            assert!(seen.insert((protocol, parameter.name)), "{protocol} {} is there twice", parameter.name);
        }
    }
}
