//! `oriel import guacamole`, from a file, from a real PostgreSQL and from a real MariaDB.

use crate::house::House;
use crate::mariadb::MariaDb;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::Value;
use std::path::Path;

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guacamole/tests/user-mapping.xml");
    path.to_str().unwrap().to_owned()
}

fn column<'a>(report: &'a Value, of: &str, name: &str) -> Vec<&'a str> {
    report[of].as_array().unwrap().iter().map(|line| line[name].as_str().unwrap()).collect()
}

fn all_are(report: &Value, state: &str) -> bool {
    ["people", "pools", "machines"].iter().all(|of| column(report, of, "state").iter().all(|word| *word == state))
}

#[test]
fn a_file_is_brought_in_once() {
    let house = House::new("10.0.0.0/8");
    let file = sample();
    let dry = house.json(&["import", "guacamole", &file, "--dry-run"]);
    assert!(all_are(&dry, "planned"), "{dry:#}");
    assert_eq!(house.json(&["pool", "list"])["pools"], serde_json::json!([]));

    let made = house.json(&["import", "guacamole", &file]);
    assert!(all_are(&made, "made"), "{made:#}");
    assert_eq!(column(&made, "people", "name"), ["ada", "bob", "eve"]);
    for password in column(&made, "people", "one_time_password") {
        assert_eq!(password.len(), 19);
    }
    let mut machines = column(&made, "machines", "name");
    machines.sort_unstable();
    assert_eq!(machines, ["ada", "build-server", "shared-screen", "windows-2nd-floor"]);
    let left = made["left"].to_string();
    for said in ["PulseAudio", "pod is missing", "no hostname", "frobnicate", "token"] {
        assert!(left.contains(said), "{said}: {left}");
    }
    let windows = house.json(&["machine", "show", "windows-2nd-floor"]);
    assert_eq!((&windows["host"], &windows["port"]), (&"10.20.0.12".into(), &3389.into()));
    assert_eq!(
        (&windows["parameters"]["domain"], &windows["parameters"]["keyboard"]),
        (&"WORKSHOP".into(), &"de".into())
    );
    assert_eq!(windows["has_password"], true);
    let pools = house.json(&["pool", "list"]);
    let users: Vec<Vec<&str>> = pools["pools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pool| pool["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect())
        .collect();
    for wanted in [vec!["ada"], vec!["bob"], vec!["bob", "eve"]] {
        assert!(users.contains(&wanted), "{wanted:?} in {users:?}");
    }

    let again = house.json(&["import", "guacamole", &file]);
    assert!(all_are(&again, "there"), "{again:#}");
    assert_eq!(made["left"], again["left"]);

    // Somebody is let in by hand: a later run does not take that back, and says so.
    let pool = pools["pools"][0]["name"].as_str().unwrap();
    house.tell(&["pool", "allow", pool, "eve"]);
    let after = house.json(&["import", "guacamole", &file]);
    assert!(after["left"].to_string().contains("by hand") || users[0].contains(&"eve"), "{after:#}");
}

#[test]
fn what_may_not_be_dialled_is_named() {
    let house = House::new("");
    let made = house.json(&["import", "guacamole", &sample()]);
    assert_eq!(column(&made, "machines", "name"), ["build-server"]);
    let left = made["left"].to_string();
    assert!(left.contains("10.20.0.12 is a private address") && left.contains("external.allow"), "{left}");
    for (source, said) in [
        ("/nowhere.xml", "give a user-mapping.xml"),
        ("oracle://guacamole@db/guacamole", "MariaDB can"),
        ("mysql://nobody@127.0.0.1:9/x", "cannot reach Guacamole's database"),
        ("postgres://nobody@127.0.0.1:9/x", "cannot reach Guacamole's database"),
        ("/etc/passwd", "the file has no element"),
    ] {
        let refused = house.ask(&["import", "guacamole", source]).unwrap_err();
        assert!(refused.contains(said), "{source}: {refused}");
    }
}

/// As much of Guacamole's schema (1.6) as is read.
const SCHEMA: &str = "
CREATE TYPE guacamole_connection_group_type AS ENUM ('ORGANIZATIONAL', 'BALANCING');
CREATE TYPE guacamole_entity_type AS ENUM ('USER', 'USER_GROUP');
CREATE TYPE guacamole_object_permission_type AS ENUM ('READ', 'UPDATE', 'DELETE', 'ADMINISTER');
CREATE TYPE guacamole_system_permission_type AS ENUM ('CREATE_CONNECTION', 'CREATE_USER', 'ADMINISTER');
CREATE TYPE guacamole_proxy_encryption_method AS ENUM ('NONE', 'SSL');
CREATE TABLE guacamole_connection_group (
    connection_group_id serial PRIMARY KEY, parent_id integer REFERENCES guacamole_connection_group,
    connection_group_name varchar(128) NOT NULL, type guacamole_connection_group_type NOT NULL DEFAULT 'ORGANIZATIONAL',
    max_connections integer, max_connections_per_user integer, enable_session_affinity boolean NOT NULL DEFAULT FALSE);
CREATE TABLE guacamole_connection (
    connection_id serial PRIMARY KEY, connection_name varchar(128) NOT NULL,
    parent_id integer REFERENCES guacamole_connection_group, protocol varchar(32) NOT NULL,
    max_connections integer, max_connections_per_user integer, connection_weight integer,
    failover_only boolean NOT NULL DEFAULT FALSE, proxy_port integer, proxy_hostname varchar(512),
    proxy_encryption_method guacamole_proxy_encryption_method);
CREATE TABLE guacamole_connection_parameter (
    connection_id integer NOT NULL REFERENCES guacamole_connection, parameter_name varchar(128) NOT NULL,
    parameter_value varchar(4096) NOT NULL, PRIMARY KEY (connection_id, parameter_name));
CREATE TABLE guacamole_entity (
    entity_id serial PRIMARY KEY, name varchar(128) NOT NULL, type guacamole_entity_type NOT NULL, UNIQUE (type, name));
CREATE TABLE guacamole_user (
    user_id serial PRIMARY KEY, entity_id integer NOT NULL UNIQUE REFERENCES guacamole_entity,
    password_hash bytea NOT NULL, password_salt bytea, password_date timestamptz NOT NULL DEFAULT now(),
    disabled boolean NOT NULL DEFAULT FALSE, expired boolean NOT NULL DEFAULT FALSE,
    access_window_start time, access_window_end time, valid_from date, valid_until date, timezone varchar(64),
    full_name varchar(256));
CREATE TABLE guacamole_user_group (
    user_group_id serial PRIMARY KEY, entity_id integer NOT NULL UNIQUE REFERENCES guacamole_entity,
    disabled boolean NOT NULL DEFAULT FALSE);
CREATE TABLE guacamole_user_group_member (
    user_group_id integer NOT NULL REFERENCES guacamole_user_group,
    member_entity_id integer NOT NULL REFERENCES guacamole_entity, PRIMARY KEY (user_group_id, member_entity_id));
CREATE TABLE guacamole_sharing_profile (
    sharing_profile_id serial PRIMARY KEY, sharing_profile_name varchar(128) NOT NULL,
    primary_connection_id integer NOT NULL REFERENCES guacamole_connection);
CREATE TABLE guacamole_user_attribute (
    user_id integer NOT NULL REFERENCES guacamole_user, attribute_name varchar(128) NOT NULL,
    attribute_value varchar(4096) NOT NULL, PRIMARY KEY (user_id, attribute_name));
CREATE TABLE guacamole_connection_attribute (
    connection_id integer NOT NULL REFERENCES guacamole_connection, attribute_name varchar(128) NOT NULL,
    attribute_value varchar(4096) NOT NULL, PRIMARY KEY (connection_id, attribute_name));
CREATE TABLE guacamole_connection_group_attribute (
    connection_group_id integer NOT NULL REFERENCES guacamole_connection_group, attribute_name varchar(128) NOT NULL,
    attribute_value varchar(4096) NOT NULL, PRIMARY KEY (connection_group_id, attribute_name));
CREATE TABLE guacamole_connection_permission (
    entity_id integer NOT NULL REFERENCES guacamole_entity, connection_id integer NOT NULL REFERENCES guacamole_connection,
    permission guacamole_object_permission_type NOT NULL, PRIMARY KEY (entity_id, connection_id, permission));
CREATE TABLE guacamole_system_permission (
    entity_id integer NOT NULL REFERENCES guacamole_entity, permission guacamole_system_permission_type NOT NULL,
    PRIMARY KEY (entity_id, permission));
";

const ROWS: &str = "
INSERT INTO guacamole_entity (entity_id, name, type) VALUES
    (1, 'guacadmin', 'USER'), (2, 'ada', 'USER'), (3, 'bob', 'USER'), (4, 'carol', 'USER'), (5, 'lab', 'USER_GROUP');
INSERT INTO guacamole_user (entity_id, password_hash, disabled, valid_until) VALUES
    (1, '\\x00', FALSE, NULL), (2, '\\x00', FALSE, '2030-01-01'), (3, '\\x00', FALSE, NULL), (4, '\\x00', TRUE, NULL);
INSERT INTO guacamole_system_permission VALUES (1, 'ADMINISTER'), (2, 'CREATE_CONNECTION');
INSERT INTO guacamole_user_group (user_group_id, entity_id) VALUES (1, 5);
INSERT INTO guacamole_user_group_member VALUES (1, 3), (1, 4);
INSERT INTO guacamole_connection_group (connection_group_id, parent_id, connection_group_name, type, max_connections) VALUES
    (1, NULL, 'Office', 'ORGANIZATIONAL', NULL), (2, 1, 'Floor 2', 'BALANCING', 4);
INSERT INTO guacamole_connection (connection_id, connection_name, parent_id, protocol, connection_weight) VALUES
    (1, 'Desk', 1, 'rdp', NULL), (2, 'Build', 1, 'ssh', NULL), (3, 'Kiosk', 2, 'vnc', 3);
INSERT INTO guacamole_connection_parameter VALUES
    (1, 'hostname', '10.0.0.1'), (1, 'username', 'anna'), (1, 'password', 'geheim'), (1, 'drive-name', 'Share'),
    (2, 'hostname', '10.0.0.2'), (2, 'port', '2222'), (2, 'command', 'tmux'), (3, 'hostname', '10.0.0.3');
INSERT INTO guacamole_connection_permission VALUES
    (2, 1, 'READ'), (5, 1, 'READ'), (2, 2, 'READ'), (5, 2, 'READ'), (5, 3, 'READ'), (1, 3, 'UPDATE');
INSERT INTO guacamole_connection_attribute VALUES (2, 'guac-restrict-hosts-allowed', '10.0.0.0/8');
INSERT INTO guacamole_user_attribute SELECT user_id, 'guac-restrict-time-allowed', '1:0800-1700' FROM guacamole_user WHERE entity_id = 3;
INSERT INTO guacamole_sharing_profile (sharing_profile_name, primary_connection_id) VALUES ('watch', 1);
";

/// The same on MySQL and MariaDB, whose enumerations are the columns' own.
const MYSQL_SCHEMA: &str = "
CREATE TABLE guacamole_connection_group (
    connection_group_id int(11) NOT NULL AUTO_INCREMENT, parent_id int(11), connection_group_name varchar(128) NOT NULL,
    type enum('ORGANIZATIONAL', 'BALANCING') NOT NULL DEFAULT 'ORGANIZATIONAL', max_connections int(11),
    max_connections_per_user int(11), enable_session_affinity boolean NOT NULL DEFAULT 0, PRIMARY KEY (connection_group_id));
CREATE TABLE guacamole_connection (
    connection_id int(11) NOT NULL AUTO_INCREMENT, connection_name varchar(128) NOT NULL, parent_id int(11),
    protocol varchar(32) NOT NULL, proxy_port integer, proxy_hostname varchar(512),
    proxy_encryption_method enum('NONE', 'SSL'), max_connections int(11), max_connections_per_user int(11),
    connection_weight int(11), failover_only boolean NOT NULL DEFAULT 0, PRIMARY KEY (connection_id));
CREATE TABLE guacamole_connection_parameter (
    connection_id int(11) NOT NULL, parameter_name varchar(128) NOT NULL, parameter_value varchar(4096) NOT NULL,
    PRIMARY KEY (connection_id, parameter_name));
CREATE TABLE guacamole_entity (
    entity_id int(11) NOT NULL AUTO_INCREMENT, name varchar(128) NOT NULL, type enum('USER', 'USER_GROUP') NOT NULL,
    PRIMARY KEY (entity_id), UNIQUE KEY guacamole_entity_name_scope (type, name));
CREATE TABLE guacamole_user (
    user_id int(11) NOT NULL AUTO_INCREMENT, entity_id int(11) NOT NULL, password_hash binary(32) NOT NULL,
    password_salt binary(32), password_date datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
    disabled boolean NOT NULL DEFAULT 0, expired boolean NOT NULL DEFAULT 0, access_window_start TIME,
    access_window_end TIME, valid_from DATE, valid_until DATE, timezone VARCHAR(64), full_name VARCHAR(256),
    PRIMARY KEY (user_id), UNIQUE KEY guacamole_user_single_entity (entity_id));
CREATE TABLE guacamole_user_group (
    user_group_id int(11) NOT NULL AUTO_INCREMENT, entity_id int(11) NOT NULL, disabled boolean NOT NULL DEFAULT 0,
    PRIMARY KEY (user_group_id));
CREATE TABLE guacamole_user_group_member (
    user_group_id int(11) NOT NULL, member_entity_id int(11) NOT NULL, PRIMARY KEY (user_group_id, member_entity_id));
CREATE TABLE guacamole_sharing_profile (
    sharing_profile_id int(11) NOT NULL AUTO_INCREMENT, sharing_profile_name varchar(128) NOT NULL,
    primary_connection_id int(11) NOT NULL, PRIMARY KEY (sharing_profile_id));
CREATE TABLE guacamole_user_attribute (
    user_id int(11) NOT NULL, attribute_name varchar(128) NOT NULL, attribute_value varchar(4096) NOT NULL,
    PRIMARY KEY (user_id, attribute_name));
CREATE TABLE guacamole_connection_attribute (
    connection_id int(11) NOT NULL, attribute_name varchar(128) NOT NULL, attribute_value varchar(4096) NOT NULL,
    PRIMARY KEY (connection_id, attribute_name));
CREATE TABLE guacamole_connection_group_attribute (
    connection_group_id int(11) NOT NULL, attribute_name varchar(128) NOT NULL, attribute_value varchar(4096) NOT NULL,
    PRIMARY KEY (connection_group_id, attribute_name));
CREATE TABLE guacamole_connection_permission (
    entity_id int(11) NOT NULL, connection_id int(11) NOT NULL,
    permission enum('READ', 'UPDATE', 'DELETE', 'ADMINISTER') NOT NULL, PRIMARY KEY (entity_id, connection_id, permission));
CREATE TABLE guacamole_system_permission (
    entity_id int(11) NOT NULL, permission enum('CREATE_CONNECTION', 'CREATE_USER', 'ADMINISTER') NOT NULL,
    PRIMARY KEY (entity_id, permission));
";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_brought_in_once() {
    let server = std::env::var("ORIEL_TEST_POSTGRES")
        .expect("ORIEL_TEST_POSTGRES names a PostgreSQL server; ./test starts one and sets it");
    let admin = Database::connect(&server).await.unwrap();
    let name = format!("guacamole_test_{}", std::process::id());
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let dsn = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    brought_in_once(&dsn, SCHEMA).await;
    admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_mariadb_is_brought_in_once() {
    let server = MariaDb::start();
    let admin = Database::connect(server.url("")).await.unwrap();
    admin.execute_unprepared("CREATE DATABASE guacamole CHARACTER SET utf8mb4").await.unwrap();
    brought_in_once(&server.url("guacamole"), MYSQL_SCHEMA).await;
    admin.close().await.unwrap();
}

async fn brought_in_once(dsn: &str, schema: &str) {
    let house = House::new("10.0.0.0/8");
    let database = Database::connect(dsn).await.unwrap();
    let refused = house.ask(&["import", "guacamole", dsn]).unwrap_err();
    assert!(refused.contains("does not answer as Guacamole's since 1.0 does"), "{refused}");
    database.execute_unprepared(schema).await.unwrap();
    database.execute_unprepared(ROWS).await.unwrap();
    let made = house.json(&["import", "guacamole", dsn]);
    assert!(all_are(&made, "made"), "{made:#}");
    assert_eq!(column(&made, "people", "name"), ["ada", "bob", "guacadmin"]);
    assert_eq!(column(&made, "pools", "name"), ["office", "office-floor-2"]);
    assert_eq!(made["pools"][0]["users"], serde_json::json!(["ada", "bob"]));
    assert_eq!(made["pools"][1]["users"], serde_json::json!(["bob"]));
    assert_eq!(column(&made, "machines", "name"), ["build", "desk", "kiosk"]);
    let left = made["left"].to_string();
    for said in [
        "carol",
        "disabled",
        "guacadmin",
        "drive-name",
        "balances",
        "weights",
        "watch",
        "hours and dates",
        "person \\\"bob\\\"",
        "connection \\\"Build\\\"",
    ] {
        assert!(left.contains(said), "{said}: {left}");
    }
    assert!(!made.to_string().contains("geheim"));
    let build = house.json(&["machine", "show", "build"]);
    assert_eq!((&build["port"], &build["parameters"]["command"]), (&2222.into(), &"tmux".into()));
    let again = house.json(&["import", "guacamole", dsn]);
    assert!(all_are(&again, "there"), "{again:#}");
    database.close().await.unwrap();
}
