//! Dumps and rows, up to the plan.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "these are tests")]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A site of ours in kvm-vdi's tables, as `mysqldump` writes them.
const SAMPLE: &[u8] = include_bytes!("../tests/site.sql");

fn sample() -> Rows {
    parse_dump(SAMPLE).unwrap()
}

#[test]
fn a_dump_is_read() {
    let rows = sample();
    assert_eq!(rows.hypervisors.len(), 2);
    assert_eq!(rows.hypervisors[1].address, "10.3.0.12");
    assert!(rows.hypervisors[1].maintenance && !rows.hypervisors[0].maintenance);
    let names: Vec<&str> = rows.clients.iter().map(|client| client.name.as_str()).collect();
    assert_eq!(names, ["ada", "bob", "carol@school.example", "d'arcy \\ \"q\""]);
    assert!(rows.clients[2].domain && !rows.clients[0].domain);
    assert_eq!(rows.groups[0].name, "Žinių mokyklos; mokiniai");
    assert_eq!(rows.admins, ["root"]);
    let desk = rows.machines.iter().find(|machine| machine.name == "office-01").unwrap();
    assert_eq!((desk.source, desk.forgets, desk.os.as_str()), (Some(2), true, "windows"));
    assert_eq!(rows.pool_machines.len(), 6, "rows of a routine's body are none of the table's");
}

#[test]
fn pools_become_pools_of_images() {
    let made = plan(sample(), &BTreeMap::new());
    assert_eq!(made.people, ["ada", "bob", "d'arcy \\ \"q\""]);
    assert_eq!(made.groups, ["Staff", "Žinių mokyklos; mokiniai"]);
    let pools: Vec<(&str, &str, u32)> =
        made.pools.iter().map(|pool| (pool.name.as_str(), pool.image.as_str(), pool.desktops)).collect();
    assert_eq!(
        pools,
        [
            ("lab-linux-initial", "linux-initial", 1),
            ("lab-win10-initial", "win10-initial", 1),
            ("office", "win10-initial", 2)
        ]
    );
    let office = &made.pools[2];
    let names = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    assert_eq!(names(&office.users), ["ada", "bob"]);
    assert_eq!(names(&office.domain_users), ["carol@school.example"]);
    assert_eq!(names(&office.groups), ["Staff"]);
    let images: Vec<(&str, &str, bool)> =
        made.images.iter().map(|image| (image.name.as_str(), image.hypervisor.as_str(), image.windows)).collect();
    assert_eq!(images, [("linux-initial", "kvm2", false), ("win10-initial", "kvm1", true)]);
    let left: Vec<String> = made.left.iter().map(|left| format!("{}: {}", left.what, left.reason)).collect();
    let said = |what: &str, why: &str| {
        assert!(left.iter().any(|line| line.starts_with(what) && line.contains(why)), "{what} in {left:#?}");
    };
    said("hypervisor \"kvm2\" (10.3.0.12), which is in maintenance, with", "on clouds");
    said("administrator \"root\"", "by hand");
    said("pool \"Lab\"", "becomes 2 pools");
    said("pool \"Lab\"", "made anew after each person");
    said("pool \"Servers\"", "--address NAME=");
    said("machine \"files\" on kvm1", "oriel machine add");
    said("source machine \"win10-source\"", "later versions");
    said("machine \"orphan\" on kvm1 in pool \"Lab\"", "which initial machine");
    said("machine \"spare-01\"", "in no pool");
    let to: Vec<String> = made.mapped.iter().map(|one| format!("{} > {}", one.what, one.to)).collect();
    assert!(to.contains(&"machine \"office-01\" on kvm1 > a desktop of pool office".to_owned()), "{to:#?}");
    assert!(to.contains(&"initial machine \"win10-initial\" on kvm1 > image win10-initial".to_owned()), "{to:#?}");
    assert_eq!(
        format!("{made:?}"),
        format!("{:?}", plan(sample(), &BTreeMap::new())),
        "the same dump gives the same plan"
    );
}

#[test]
fn machines_whose_addresses_are_known_are_external() {
    let at = |name: &str, text: &str| (name.to_owned(), text.parse::<Address>().unwrap());
    let addresses =
        [at("files", "ssh://files.lab"), at("office-02", "rdp://10.3.1.7:3390"), at("gone", "vnc://gone.lab")];
    let made = plan(sample(), &addresses.into_iter().collect());
    let pools: Vec<(&str, Vec<(&str, u16)>)> = made
        .external
        .iter()
        .map(|pool| {
            (pool.name.as_str(), pool.machines.iter().map(|one| (one.name.as_str(), one.address.port)).collect())
        })
        .collect();
    assert_eq!(pools, [("office-machines", vec![("office-02", 3390)]), ("servers", vec![("files", 22)])]);
    assert_eq!(made.external[0].users, made.pools[2].users);
    assert_eq!(made.pools[2].desktops, 1, "the other one is a machine of its own");
    let left: Vec<&str> = made.left.iter().map(|left| left.what.as_str()).collect();
    assert!(
        left.contains(&"the address of machine \"gone\"") && !left.contains(&"machine \"files\" on kvm1"),
        "{left:#?}"
    );
    for wrong in
        ["", "10.0.0.7", "telnet://a", "rdp://", "rdp://a:0", "rdp://a:b", "rdp://[::1", "rdp://[::1]9", "rdp://a b"]
    {
        assert!(wrong.parse::<Address>().is_err(), "{wrong:?}");
    }
    let six: Address = "ssh://[2001:db8::7]:2222".parse().unwrap();
    assert_eq!((six.host.as_str(), six.port), ("2001:db8::7", 2222));
}

#[test]
fn columns_may_be_named_and_in_any_order() {
    let dump = b"CREATE TABLE IF NOT EXISTS `vdi`.`clients` (`id` int(11), `username` varchar(255), KEY `a` (`id`,`username`));
        # phpMyAdmin
        insert ignore into clients (isdomain, username, id) values (1, _utf8mb4'eve', 7), (b'0', X'6d616c', -8);
        CREATE TABLE pool (id int, name varchar(9)); CREATE TABLE poolmap (a int); CREATE TABLE vms (a int)";
    let rows = parse_dump(dump).unwrap();
    assert_eq!(rows.clients[0], ClientRow { id: 7, name: "eve".into(), domain: true });
    assert_eq!(rows.clients[1], ClientRow { id: -8, name: "mal".into(), domain: false });
}

#[test]
fn what_is_no_dump_is_refused_with_its_line() {
    let fails = |dump: &str| parse_dump(dump.as_bytes()).unwrap_err();
    assert_eq!(fails(""), DumpError::NotKvmVdi { table: "clients" });
    assert_eq!(fails("<html>\n</html>"), DumpError::NotKvmVdi { table: "clients" });
    assert_eq!(fails("SELECT 1;\n/* never"), DumpError::Open { what: "a comment", line: 2 });
    assert_eq!(fails("\n\nSELECT 'never"), DumpError::Open { what: "a text", line: 3 });
    assert_eq!(fails("INSERT INTO pool VALUES (1,'a');"), DumpError::NoColumns { table: "pool", line: 1 });
    assert!(matches!(fails("INSERT INTO pool (id,name) VALUES\n(1);"), DumpError::Unexpected { line: 2, .. }));
    assert!(matches!(fails("INSERT INTO pool (id,name) SELECT 1, 2;"), DumpError::Unexpected { wanted: "VALUES", .. }));
    assert!(matches!(fails("CREATE TABLE pool (id int"), DumpError::Unexpected { .. }));
    assert_eq!(
        fails("INSERT INTO pool (id,name) VALUES ('one','a')"),
        DumpError::Row { error: RowError::NotANumber { table: "pool", column: "id" }, line: 1 }
    );
    assert_eq!(
        fails("INSERT INTO pool (id) VALUES (1)"),
        DumpError::Row { error: RowError::Missing { table: "pool", column: "name" }, line: 1 }
    );
    let long = format!("INSERT INTO pool (id,name) VALUES (1,'{}')", "x".repeat(TEXT_BYTES_MAX + 1));
    assert_eq!(fails(&long), DumpError::TooLong { line: 1 });
    let wide = format!("CREATE TABLE pool (a int{})", ", a int".repeat(COLUMNS_MAX));
    assert_eq!(fails(&wide), DumpError::TooWide { line: 1 });
    assert_eq!(parse_dump(b"INSERT INTO pool (id,name) VALUES (1,'\xff')"), Err(DumpError::NotUtf8 { line: 1 }));
}

proptest! {
    /// Any bytes: rows, or an error.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        parse_dump(&bytes).ok();
    }

    /// A real dump that was cut off or damaged, and pieces of SQL in any order.
    #[test]
    fn damaged_dumps_are_read_or_refused(
        cut in 0..SAMPLE.len(),
        at in 0..SAMPLE.len(),
        byte in any::<u8>(),
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "INSERT INTO ", "vms", "`pool`", " VALUES ", "(", ")", ",", ";", "'", "\\", "\"", "`", "NULL", "0x", "x'61'",
                "_utf8", "-", "1", "/*", "*/", "-- ", "#", "\n", "CREATE TABLE ", "id int", "DELIMITER ;;", "DELIMITER ;",
            ]),
            0..60,
        ),
    ) {
        parse_dump(&SAMPLE[..cut]).ok();
        let mut damaged = SAMPLE.to_vec();
        damaged[at] = byte;
        if let Ok(rows) = parse_dump(&damaged) {
            plan(rows, &BTreeMap::new());
        }
        parse_dump(pieces.concat().as_bytes()).ok();
    }

    /// Whatever the rows say: names are given once, pools are not empty, and nobody is let in who is not named.
    #[test]
    fn any_rows_have_a_plan(
        kinds in proptest::collection::vec((0..4_usize, 0..8_i64, "[ -~]{1,12}"), 0..8),
        links in proptest::collection::vec((0..3_i64, 0..8_i64), 0..12),
        clients in proptest::collection::vec((0..8_i64, any::<bool>(), "[a-c]"), 0..6),
    ) {
        let words = ["vdimachine", "initialmachine", "sourcemachine", "simplemachine"];
        let links: Vec<LinkRow> = links.into_iter().map(|(pool, member)| LinkRow { pool, member }).collect();
        let rows = Rows {
            machines: (0_i64..)
                .zip(kinds)
                .map(|(id, (kind, source, name))| MachineRow {
                    id, name, hypervisor: 0, kind: words[kind].into(), source: Some(source), forgets: id % 2 == 0, os: String::new(),
                })
                .collect(),
            pools: (0..3).map(|id| PoolRow { id, name: format!("pool {}", id % 2) }).collect(),
            clients: clients.into_iter().map(|(id, domain, name)| ClientRow { id, name, domain }).collect(),
            pool_clients: links.clone(),
            pool_machines: links,
            ..Rows::default()
        };
        let made = plan(rows, &BTreeMap::new());
        let mut names = std::collections::BTreeSet::new();
        for pool in &made.pools {
            prop_assert!(names.insert(pool.name.clone()));
            prop_assert!(pool.desktops > 0);
            prop_assert!(pool.users.iter().all(|user| made.people.contains(user)));
            prop_assert!(made.images.iter().any(|image| image.name == pool.image));
        }
    }
}
