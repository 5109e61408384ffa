#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use super::super::{tree::Language, wanted::tests::wanted, writer::write};
use super::*;
use crate::failure::Failure;
use oriel_server::api::pool::{GpuRequest, PoolKind};
use serde_json::json;

/// A server with something of everything.
fn present() -> Present {
    let named = |id: &str, name: &str| json!({"id": id, "name": name});
    let image = |id: &str, version: u32| {
        json!({
            "id": id, "name": "debian", "version": version, "state": "ready", "os": "linux", "sha256": "00",
            "source": {"kind": "built", "recipe": "debian-desktop", "inputs": "00", "packages": 1},
            "virtual_bytes": 1, "file_bytes": 1, "created_at": "2026-11-29T00:00:00Z", "desktops": 0,
        })
    };
    let pool = |id: &str, name: &str, more: Value| {
        let mut pool = json!({
            "id": id, "name": name, "kind": "floating", "image": {"id": "i2", "name": "debian", "version": 2},
            "vcpus": 2, "memory_mib": 2048, "disk_gib": 20, "network": {"kind": "user"}, "desktops_max": 10,
            "size": {"running_spares": 2}, "hours": {}, "leaving": {}, "keyboard": "us", "gpu": null, "hardware": {},
            "now": {"is_peak": true, "changes_at": null, "size": {}}, "recording": "off", "policy": {}, "desktops": 0,
            "count": {"used": 0, "ready": 0, "on_their_way": 0, "stopped": 0, "failed": 0},
            "users": [named("u1", "Ada")], "groups": [named("g1", "night shift")], "created_at": "2026-11-29T00:00:00Z",
        });
        for (key, value) in more.as_object().unwrap() {
            pool[key] = value.clone();
        }
        pool
    };
    let user = |id: &str, name: &str, role: &str, directory: Value| {
        json!({
            "id": id, "name": name, "role": role, "disabled": false, "must_change_password": false,
            "directory": directory, "created_at": "2026-11-29T00:00:00Z",
        })
    };
    let peaks = json!({
        "hours": {
            "peaks": ["mon-fri 08:00-18:00 Europe/Berlin"], "holidays": ["2026-12-25"],
            "off_peak": {"running_spares": 0},
        },
        "leaving": {"idle_minutes": 30, "off_peak": {"idle_minutes": 5}},
        "gpu": {"mode": "vgpu", "profile": "M60-2Q"}, "hardware": {"tpm": true},
        "policy": {"clipboard": {"to_machine": false, "to_person": true, "kib_max": 1024}},
        "network": {"kind": "nat", "network": "lab"},
    });
    let external = json!({
        "kind": "external", "image": null, "vcpus": 0, "memory_mib": 0, "disk_gib": 0, "desktops_max": 1000, "size": {},
        "users": [], "groups": [],
    });
    let cloud = json!({"cloud": {
        "cloud": named("c1", "oak"), "flavor": "m1.small", "network": "auto", "address": "fixed", "root": "image",
    }});
    let machine = json!({
        "id": "m1", "name": "gate", "pool": named("p3", "lab"), "owner": named("u1", "Ada"), "protocol": "ssh",
        "host": "2001:db8::7", "port": 22, "user": "root", "has_password": true, "has_private_key": false, "has_totp": false, "has_gateway_password": false,
        "identity": "ssh-ed25519 AAAA", "parameters": {"timeout_seconds": 20, "backspace": "control_h", "certificate": "a\nb"},
        "state": "ready", "failure": null, "connections": 0, "created_at": "2026-11-29T00:00:00Z",
        "changed_at": "2026-11-29T00:00:00Z",
    });
    Present {
        images: serde_json::from_value(json!([image("i2", 2), image("i1", 1)])).unwrap(),
        groups: serde_json::from_value(json!([{
            "id": "g1", "name": "night shift", "about": "\"who\" is up", "policy": {"sound": false}, "second_factor": "every_time",
            "members": [named("u1", "Ada"), named("u2", "ben")], "pools": [], "created_at": "2026-11-29T00:00:00Z",
        }]))
        .unwrap(),
        pools: serde_json::from_value(json!([
            pool("p1", "office", json!({})),
            pool("p2", "studio", peaks),
            pool("p3", "lab", external),
            pool("p4", "sky", cloud),
            pool("p5", "old", json!({"image": {"id": "i1", "name": "debian", "version": 1}})),
        ]))
        .unwrap(),
        users: serde_json::from_value(json!([
            user("u1", "Ada", "pool_admin", Value::Null),
            user("u2", "ben", "user", "lab".into())
        ]))
        .unwrap(),
        clouds: serde_json::from_value(json!([{
            "id": "c1", "name": "oak", "address": "https://oak.example", "region": null, "pools": [], "images": [],
            "desktops": 0, "looked": null, "reach": {"gateways": [], "shelve": false, "jump": null},
            "created_at": "2026-11-29T00:00:00Z", "changed_at": "2026-11-29T00:00:00Z",
        }]))
        .unwrap(),
        machines: vec![serde_json::from_value(machine).unwrap()],
        apps: serde_json::from_value(json!([{
            "id": "a1", "pool": named("p1", "office"), "name": "Ledger \u{1F4D2}",
            "run": {"remote_app": "||ledger", "initial_program": null, "arguments": "/year 2026", "folder": null},
            "created_at": "2026-11-29T00:00:00Z",
        }]))
        .unwrap(),
        icons: std::collections::BTreeMap::new(),
    }
}

fn lines(text: &str, present: &Present, how: How) -> Vec<String> {
    let changes = plan(&wanted(text).unwrap(), present, how).unwrap();
    changes.iter().flat_map(Change::lines).collect()
}

fn refused(text: &str) -> String {
    match wanted(text) {
        Ok(wanted) => Failure::from(plan(&wanted, &present(), How::default()).unwrap_err()).to_string(),
        Err(refused) => refused,
    }
}

const PRUNE: How = How { prune: true, renew_secrets: false };

#[test]
fn what_is_exported_changes_nothing() {
    let present = present();
    for language in [Language::Toml, Language::Yaml] {
        let text = write(&present, language);
        assert_eq!(Language::guessed(&text), language, "{text}");
        assert_eq!(lines(&text, &present, PRUNE), Vec::<String>::new(), "{text}");
        assert!(text.contains("# It has a password, which is not written here"), "{text}");
        assert!(text.contains("cloud oak") || text.contains("Cloud oak"), "{text}");
    }
    for language in [Language::Toml, Language::Yaml] {
        let nothing = write(&Present::default(), language);
        assert!(plan(&wanted(&nothing).unwrap(), &present, How::default()).unwrap().is_empty());
    }
}

#[test]
fn what_is_not_there_is_made_in_order() {
    let text = r#"
        [pool.office]
        image = "debian"
        vcpus = 4
        gpu = "none"
        users = ["ada"]
        groups = ["artists"]
        [user.ada]
        password_env = "ADA"
        [group.artists]
        members = ["ADA"]
        [image.debian]
        recipe = "debian-desktop"
    "#;
    let empty = Present::default();
    assert_eq!(
        lines(text, &empty, How::default()),
        [
            "+ image debian",
            "    recipe debian-desktop",
            "    version 1",
            "+ group artists",
            "+ pool office",
            "    image debian (the version that is made now)",
            "    vcpus 4",
            "    gpu none",
            "+ user ada",
            "    password from $ADA",
            "+ group artists: member ada",
            "+ pool office: open to ada",
            "+ pool office: open to group artists",
        ]
    );
    let changes = plan(&wanted(text).unwrap(), &empty, How::default()).unwrap();
    let pool = &changes[2].call;
    assert_eq!((pool.does, pool.path.as_str()), (Does::Post, "/pools"));
    let new: oriel_server::api::pool::PoolNew = serde_json::from_value(Value::Object(pool.body.clone())).unwrap();
    assert_eq!((new.name.as_str(), new.image.as_deref(), new.vcpus), ("office", Some("debian"), Some(4)));
    assert_eq!((new.kind, new.gpu), (Some(PoolKind::Dedicated), Some(GpuRequest::none())));
}

#[test]
fn what_differs_is_changed_and_nothing_else() {
    let text = r#"
        [pool.studio]
        spares = "running=4"
        off_peak_leave = "same"
        holiday = ["2026-12-25", "2026-12-24"]
        users = ["ben"]
    "#;
    assert_eq!(
        lines(text, &present(), How::default()),
        [
            "~ pool studio: spares running=2 → running=4",
            "~ pool studio: holiday 2026-12-25 → 2026-12-24, 2026-12-25",
            "~ pool studio: off_peak_leave idle=5 → same",
            "+ pool studio: open to ben",
        ]
    );
    let changes = plan(&wanted(text).unwrap(), &present(), How::default()).unwrap();
    let body = Value::Object(changes[0].call.body.clone());
    let change: oriel_server::api::pool::PoolChange = serde_json::from_value(body).unwrap();
    let hours = change.hours.unwrap();
    // What the file does not name comes along as it is.
    assert_eq!((hours.peaks.len(), hours.off_peak.running_spares), (1, Some(0)));
    assert_eq!(change.leaving.map(|leaving| (leaving.idle_minutes, leaving.off_peak)), Some((Some(30), None)));
    assert_eq!((change.image, change.policy), (None, None));
}

#[test]
fn a_personal_disk_is_given_and_taken_away() {
    let text = "[pool.studio]\npersonal_disk = \"size=20,name=work\"\n";
    assert_eq!(lines(text, &present(), How::default()), ["~ pool studio: personal_disk none → size=20,name=work"]);
    let changes = plan(&wanted(text).unwrap(), &present(), How::default()).unwrap();
    assert_eq!(changes[0].call.body["personal_disk"], json!({"name": "work", "size_gib": 20}));
    let text = "[pool.studio]\npersonal_disk = \"none\"\n";
    assert_eq!(lines(text, &present(), How::default()), Vec::<String>::new());
}

#[test]
fn pruning_takes_who_is_not_named_and_never_a_noun() {
    let text = "[pool.studio]\nusers = [\"ADA\"]\n[group.\"Night Shift\"]\nmembers = []\n";
    assert_eq!(lines(text, &present(), How::default()), Vec::<String>::new());
    assert_eq!(
        lines(text, &present(), PRUNE),
        [
            "~ group night shift: policy sound=off → none",
            "~ pool studio: policy clipboard=to_person → default",
            "- group night shift: member Ada",
            "- pool studio: open to group night shift",
        ],
        "ben is in the group by his directory"
    );
}

#[test]
fn a_pool_on_a_cloud_gets_another_flavor() {
    let text = "[pool.sky]\nflavor = \"m1.large\"\n";
    assert_eq!(lines(text, &present(), How::default()), ["~ pool sky: flavor m1.small → m1.large"]);
    let changes = plan(&wanted(text).unwrap(), &present(), How::default()).unwrap();
    assert_eq!(Value::Object(changes[0].call.body.clone()), json!({"flavor": "m1.large"}));
}

#[test]
fn what_cannot_be_is_said_before_anything_is_done() {
    for (text, said) in [
        ("[pool.office]\nusers = [\"adda\"]\n", "did you mean `Ada`?"),
        ("[pool.office]\ngroups = [\"painters\"]\n", "there is no group \"painters\""),
        ("[pool.office]\nimage = \"debain\"\n", "did you mean `debian`?"),
        ("[pool.office]\nimage = \"debian:7\"\n", "there is no image \"debian:7\""),
        ("[pool.new]\nvcpus = 2\n", "needs an image"),
        (
            "[pool.office]\nkind = \"ephemeral\"\n",
            "pool.office.kind: this of pool office is floating and cannot become ephemeral",
        ),
        ("[pool.office]\nnetwork = \"bridge:br0\"\n", "user and cannot become bridge:br0"),
        ("[pool.sky]\nvcpus = 2\n", "on a cloud the flavor says"),
        ("[pool.office]\ncloud = \"oak\"\nflavor = \"m1.small\"\n", "stands on this host and cannot move to oak"),
        ("[pool.sky]\naddress = \"floating from world\"\n", "fixed and cannot become floating from world"),
        ("[pool.sky]\nroot = \"disk\"\n", "is no disk of a cloud's desktops"),
        ("[pool.office]\nroot = \"volume\"\n", "that is for pools on a cloud"),
        ("[pool.office]\nflavor = \"m1.large\"\n", "that is for pools on a cloud"),
        ("[pool.lab]\nvcpus = 2\n", "external machines have no image"),
        ("[pool.office.machine.gate]\nprotocol = \"rdp\"\n", "pool office is floating: Oriel makes its desktops"),
        ("[pool.lab.machine.gate]\nprotocol = \"rdp\"\n", "machine gate speaks ssh"),
        ("[pool.lab.machine.door]\naddress = \"door.example\"\n", "needs a `protocol`"),
        ("[pool.lab.machine.gate]\njump = \"gaet\"\n", "there is no machine \"gaet\""),
        ("[user.eve]\nrole = \"helpdesk\"\n", "oriel user create eve"),
        ("[user.ben]\npools = [\"ofice\"]\n", "did you mean `office`?"),
    ] {
        let wrong = refused(text);
        assert!(wrong.contains(said) && wrong.starts_with("error: lab.toml"), "{text}: {wrong}");
    }
    let ring = "[pool.lab.machine]\na = {protocol = \"ssh\", address = \"a\", jump = \"b\"}\nb = {protocol = \"ssh\", address = \"b\", jump = \"a\"}\n";
    assert!(refused(ring).contains("through each other"));
}

#[test]
fn machines_keep_their_secrets_until_they_are_elsewhere() {
    let gate = |more: &str| {
        format!("[pool.lab.machine.gate]\npassword_file = \"gate.secret\"\naddress = \"[2001:db8::7]\"\n{more}")
    };
    assert_eq!(lines(&gate(""), &present(), How::default()), Vec::<String>::new());
    let renewed = lines(&gate(""), &present(), How { renew_secrets: true, ..How::default() });
    assert_eq!(renewed, ["~ machine gate: password from /srv/lab/gate.secret"]);
    assert_eq!(
        lines(&gate("timeout = 30\nuser = \"\"\ncertificate = \"\"\n"), &present(), How::default()),
        [
            "~ machine gate: user root → nothing",
            "~ machine gate: certificate a text of its own → nothing",
            "~ machine gate: timeout 20 → 30",
            "~ machine gate: password from /srv/lab/gate.secret",
        ]
    );
    let text = r#"
        [pool.lab.machine.behind]
        protocol = "ssh"
        address = "behind.example"
        jump = "front"
        [pool.lab.machine.front]
        protocol = "ssh"
        address = "front.example"
        private_key_file = "front.key"
    "#;
    let changes = plan(&wanted(text).unwrap(), &present(), How::default()).unwrap();
    let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["front", "behind"]);
    let new: oriel_server::api::external::MachineNew =
        serde_json::from_value(Value::Object(changes[0].call.body.clone())).unwrap();
    assert_eq!((new.host.as_str(), new.port, new.private_key), ("front.example", Some(22), None));
    assert_eq!(changes[0].call.secrets, [("private_key", SecretFrom::File("/srv/lab/front.key".into()))]);
}

#[test]
fn apps_are_what_files_say() {
    let office = |app: &str| format!("[pool.office]\n[pool.office.app.{app}\n");
    let how = How::default();
    let same = office("\"Ledger \u{1F4D2}\"]\nremote_app = \"||ledger\"\narguments = \"/year 2026\"");
    assert_eq!(lines(&same, &present(), how), Vec::<String>::new());
    let other = office("\"Ledger \u{1F4D2}\"]\nremote_app = \"||ledger\"");
    let changes = plan(&wanted(&other).unwrap(), &present(), how).unwrap();
    assert_eq!(
        (changes.len(), changes[0].mark, changes[0].call.path.as_str()),
        (1, Mark::Change, "/pools/office/apps/a1")
    );
    assert_eq!(changes[0].call.body["run"]["arguments"], Value::Null, "as a whole");
    let new = office("top]\nprogram = \"xterm -e top\"");
    let changes = plan(&wanted(&new).unwrap(), &present(), how).unwrap();
    assert_eq!((changes[0].mark, changes[0].call.path.as_str()), (Mark::Add, "/pools/office/apps"));
    assert_eq!(changes[0].call.body["name"], "top");
    assert!(refused(&office("top]\nfolder = \"/srv\"")).contains("either a remote_app"));

    // A picture by itself, and away again.
    let mut there = present();
    let icon = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let pictured = format!("{same}\nicon = \"{icon}\"");
    let changes = plan(&wanted(&pictured).unwrap(), &there, how).unwrap();
    assert_eq!((changes[0].mark, &changes[0].call.body["icon"]), (Mark::Change, &Value::from(icon)));
    assert!(!changes[0].call.body.contains_key("run"));
    assert!(lines(&pictured, &there, how)[0].contains("icon a picture ("), "{:?}", lines(&pictured, &there, how));
    there.apps[0].icon = super::icon_sha256(icon);
    assert_eq!(lines(&pictured, &there, how), Vec::<String>::new());
    assert_eq!(lines(&same, &there, how), Vec::<String>::new(), "what is not named stays");
    assert!(lines(&format!("{same}\nicon = \"\""), &there, how)[0].ends_with("→ nothing"));
    assert!(refused(&office("top]\nprogram = \"xterm\"\nicon = \"R0lGODlh\"")).contains("an icon is a PNG"));
}
