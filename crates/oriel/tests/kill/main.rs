//! The real program dies, as by `kill -9`, at every point of a desktop's life, on a real libvirt with real machines; when
//! it is started again, what was asked for comes true and nothing is left over. Skipped where no libvirt answers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_wrap,
    reason = "a test that meets what it did not expect fails, loudly"
)]

mod edge;
mod house;
mod left;
mod operation;
mod storm;
mod world;

use house::House;
use oriel_broker::fault;
use std::time::{Duration, Instant};
use world::{check_all, check_empty, check_images, domains};

/// Ports of this file's houses; other tests have others.
const PORTS: &str = "29000-29199";
/// Until the guest's boot sector runs: before that it does not hear that it shall shut down, and is switched off after 60 s.
const BOOT: Duration = Duration::from_secs(4);
/// Longer than the reconcilers' own period.
const A_ROUND: Duration = Duration::from_secs(11);

/// What is asked of a desktop when the program dies.
enum Deed {
    Create,
    Start,
    Stop,
    Restart,
    Recycle,
    Delete,
}

/// Asks for it with a program that dies at the point, then looks what a second one makes of it.
fn dies_at(point: &str, deed: &Deed) {
    assert!(fault::POINTS.contains(&point), "{point}");
    let Some(house) = House::new(PORTS) else { return };
    let began = Instant::now();
    let first = house.serve(None);
    house.furnish();
    if !matches!(deed, Deed::Create) {
        house.tell(&["desktop", "create", "lab", "--name", "one"]);
        house.until("one", "ready");
    }
    if matches!(deed, Deed::Start | Deed::Stop | Deed::Restart) {
        std::thread::sleep(BOOT);
    }
    if matches!(deed, Deed::Start) {
        house.tell(&["desktop", "stop", "one"]);
        house.until("one", "stopped");
    }
    first.kill();

    let dying = house.serve(Some(point));
    let asked = match deed {
        Deed::Create => house.ask(&["desktop", "create", "lab", "--name", "one"]),
        Deed::Start => house.ask(&["desktop", "start", "one"]),
        Deed::Stop => house.ask(&["desktop", "stop", "one"]),
        Deed::Restart => house.ask(&["desktop", "restart", "one"]),
        Deed::Recycle => house.ask(&["desktop", "recycle", "one"]),
        Deed::Delete => house.ask(&["desktop", "delete", "one"]),
    };
    // It may be quick to die: what counts is whether it had written down what was asked.
    if let Err(said) = asked {
        eprintln!("its last words: {said}");
    }
    dying.dies();

    let second = house.serve(None);
    match deed {
        Deed::Delete => house.until_gone("one"),
        Deed::Stop => house.until("one", "stopped"),
        Deed::Create | Deed::Start | Deed::Restart | Deed::Recycle => house.until("one", "ready"),
    }
    check_all(&house, Some(if matches!(deed, Deed::Recycle) { 2 } else { 1 }));
    if !matches!(deed, Deed::Delete) {
        house.tell(&["desktop", "delete", "one"]);
        house.until_gone("one");
    }
    check_empty(&house);
    eprintln!("{point}: {:.1} s", began.elapsed().as_secs_f64());
    drop(second);
}

macro_rules! deaths {
    ($($test:ident: $point:literal, $deed:ident;)*) => {
        $(#[test]
        fn $test() {
            dies_at($point, &Deed::$deed);
        })*
        /// The points that the tests above pass.
        const PASSED: &[&str] = &[$($point),*];
    };
}

deaths! {
    real_vm_dies_when_placed: "desktop.placed", Create;
    real_vm_dies_with_its_secret_kept: "desktop.secret_kept", Create;
    real_vm_dies_with_a_generation: "desktop.generation_chosen", Create;
    real_vm_dies_with_a_disk: "desktop.cloned", Create;
    real_vm_dies_with_a_seed: "desktop.seeded", Create;
    real_vm_dies_when_defined: "desktop.defined", Create;
    real_vm_dies_when_started: "desktop.started", Create;
    real_vm_dies_when_ready: "desktop.ready", Create;
    real_vm_dies_when_started_again: "desktop.started", Start;
    real_vm_dies_while_it_stops: "desktop.stopping", Stop;
    real_vm_dies_while_it_restarts: "desktop.stopping", Restart;
    real_vm_dies_when_recycling: "desktop.recycling", Recycle;
    real_vm_dies_recycling_with_its_secret_kept: "desktop.secret_kept", Recycle;
    real_vm_dies_recycling_with_a_generation: "desktop.generation_chosen", Recycle;
    real_vm_dies_recycling_with_a_disk: "desktop.cloned", Recycle;
    real_vm_dies_recycling_when_defined: "desktop.defined", Recycle;
    real_vm_dies_when_removed: "desktop.removed", Delete;
}

#[test]
fn real_vm_dies_with_an_image_made() {
    let Some(house) = House::new(PORTS) else { return };
    let dying = house.serve(Some("operation.image_made"));
    let disk = house.disk();
    house.ask(&["image", "import", disk.to_str().unwrap(), "--name", "tiny", "--os", "other", "--detach"]).ok();
    dying.dies();
    let second = house.serve(None);
    assert!(house::wait(|| house.json(&["operation", "list"])["operations"][0]["state"] == "done"));
    assert_eq!(house.json(&["image", "list"])["images"].as_array().unwrap().len(), 1);
    check_images(&house);
    // It is a good one.
    house.pool();
    house.tell(&["desktop", "create", "lab", "--name", "one"]);
    house.until("one", "ready");
    check_all(&house, Some(1));
    house.tell(&["desktop", "delete", "one"]);
    house.until_gone("one");
    check_empty(&house);
    drop(second);
}

#[test]
fn every_point_is_tried() {
    // A desktop's GPU is claimed, carved and given back on a machine that has one: in the lab.
    let lab = include_str!("../../../../lab/scenes/desktops");
    let in_lab = |point: &str| {
        point.starts_with("gpu.") && lab.split_whitespace().any(|word| word.trim_end_matches(';') == point)
    };
    // An export needs no machine.
    let exports = include_str!("../recording/export.rs");
    let in_exports = |point: &str| point.starts_with("export.") && exports.contains(&format!("\"{point}\""));
    // Nor does what moves recordings.
    let moves = include_str!("../recording/bucket.rs");
    let in_moves = |point: &str| point.starts_with("recording.") && moves.contains(&format!("\"{point}\""));
    for point in fault::POINTS {
        let tried = PASSED.contains(&point)
            || point == "operation.image_made"
            || in_lab(point)
            || in_exports(point)
            || in_moves(point)
            // Programs that die between a desktop and its person's disk are played: `crates/sim`.
            || point.starts_with("desktop.disk_")
            // Programs that die while they make an image of a desktop: `crates/broker/tests/life/captures.rs`.
            || point.starts_with("capture.");
        assert!(tried, "{point} is passed by no test");
    }
}

#[test]
fn real_vm_storm_of_kills() {
    let Some(house) = House::new(PORTS) else { return };
    storm::storm(&house);
}

/// Two programs with data folders of their own on one libvirt, which even share their range of ports.
#[test]
fn real_vm_two_oriels_leave_each_other_alone() {
    let (Some(one), Some(two)) = (House::new(PORTS), House::new(PORTS)) else { return };
    let (first, second) = (one.serve(None), two.serve(None));
    for house in [&one, &two] {
        house.furnish();
        house.tell(&["desktop", "create", "lab", "--name", "same"]);
        house.until("same", "ready");
    }
    let uuid = |house: &House| domains(&house.data).into_iter().map(|domain| domain.uuid).collect::<Vec<_>>();
    assert!(uuid(&one).len() == 1 && uuid(&two).len() == 1 && uuid(&one) != uuid(&two));
    // Each looks around, also as one that has just been killed.
    first.kill();
    let first = one.serve(None);
    std::thread::sleep(A_ROUND);
    for house in [&one, &two] {
        check_all(house, Some(1));
        assert_eq!(house.desktops().len(), 1);
    }
    // Deleted on one side only.
    two.tell(&["desktop", "delete", "same"]);
    two.until_gone("same");
    check_empty(&two);
    check_all(&one, Some(1));

    // While a desktop is off, its ports may become the other's.
    std::thread::sleep(BOOT);
    one.tell(&["desktop", "stop", "same"]);
    one.until("same", "stopped");
    two.tell(&["desktop", "create", "lab", "--name", "other"]);
    two.until("other", "ready");
    one.tell(&["desktop", "start", "same"]);
    one.until("same", "ready");
    for house in [&one, &two] {
        check_all(house, Some(1));
        let name = house.desktops()[0]["name"].as_str().unwrap().to_owned();
        house.tell(&["desktop", "delete", &name]);
        house.until_gone(&name);
        check_empty(house);
    }
    drop((first, second));
}

#[test]
fn real_vm_an_import_is_cancelled_resumed_and_killed() {
    let Some(house) = House::new(PORTS) else { return };
    operation::import(&house);
}

#[test]
fn real_vm_a_build_is_cancelled() {
    let Some(house) = House::new(PORTS) else { return };
    operation::build(&house);
}

#[test]
fn real_vm_tickets_expire() {
    let Some(house) = House::new(PORTS) else { return };
    edge::tickets(&house);
}

/// A floating desktop after its person, and one that was made for a visit.
#[test]
fn real_vm_nothing_is_left_of_who_was_there() {
    let Some(house) = House::new(PORTS) else { return };
    left::nothing(&house);
}

#[test]
fn real_vm_hostile_images_leave_nothing() {
    let Some(house) = House::new(PORTS) else { return };
    edge::images(&house);
}
