//! Every mode on cards of every kind, on the kernel model: done, killed at every change, refused at every change.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_collect,
    clippy::format_push_string,
    reason = "tests"
)]

#[path = "support/zoo/mod.rs"]
#[allow(dead_code, reason = "the builder serves other tests, too")]
mod zoo;

use oriel_gpu::{
    Inventory, Sysfs, inventory,
    inventory::{Gpu, VgpuInterface},
    kernel::{Fault, Kernel, Killed, errno},
    mode::{self, Applied, ApplyError, Plan, ReapplyOutcome, RecoveryOutcome, StateFolder, Wish},
};
use oriel_model::{GpuAddress, GpuMode};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn read(kernel: &Kernel) -> Inventory {
    inventory(kernel, &oriel_gpu::inventory::Options::default()).unwrap()
}

/// A host of the zoo that can be changed. Functions of NVIDIA cards carry what the inventory says of their profiles.
fn host(name: &str) -> Kernel {
    let mut kernel = Kernel::new(zoo::build(name));
    for gpu in read(&kernel).gpus {
        let address = gpu.address.to_string();
        match gpu.modes.vgpu.interface {
            Some(VgpuInterface::VendorVf) => {
                let types: String =
                    gpu.modes.vgpu.profiles.iter().map(|one| format!("{} : NVIDIA {}\n", one.id, one.key)).collect();
                kernel = kernel.function_file(&address, "nvidia/current_vgpu_type", "0\n").function_file(
                    &address,
                    "nvidia/creatable_vgpu_types",
                    &format!("ID : vGPU Name\n{types}"),
                );
            }
            Some(VgpuInterface::MdevOnVf) => {
                for one in &gpu.modes.vgpu.profiles {
                    let folder = format!("mdev_supported_types/{}", one.id);
                    let description = format!(
                        "num_heads=4, frl_config=60, framebuffer={}M, max_resolution=4096x2160, max_instance={}",
                        one.framebuffer_mib, one.max_per_gpu
                    );
                    kernel = kernel
                        .function_file(&address, &format!("{folder}/name"), &format!("NVIDIA {}\n", one.key))
                        .function_file(&address, &format!("{folder}/description"), &description)
                        .function_file(&address, &format!("{folder}/device_api"), "vfio-pci\n")
                        .function_file(&address, &format!("{folder}/available_instances"), "1\n");
                }
            }
            _ => {}
        }
    }
    // Whoever gave a function to VFIO did it as we do.
    for gpu in read(&kernel).gpus {
        for slice in gpu.slices.iter().filter(|slice| slice.driver.as_deref() == Some("vfio-pci")) {
            let path = format!("/sys/bus/pci/devices/{}/driver_override", slice.name);
            if kernel.exists(&path) {
                kernel.write(&path, b"vfio-pci").unwrap();
            }
        }
    }
    kernel
}

struct State {
    folder: StateFolder,
    _place: tempfile::TempDir,
}

fn state() -> State {
    let place = tempfile::tempdir().unwrap();
    State { folder: StateFolder::open(place.path()).unwrap(), _place: place }
}

fn plan(kernel: &Kernel, wish: &Wish) -> Plan {
    mode::plan(kernel, &read(kernel), wish).unwrap()
}

fn apply(kernel: &Kernel, plan: &Plan, state: &State) -> Result<Applied, ApplyError> {
    mode::apply(kernel, plan, &state.folder, &mut |_| {})
}

/// The first card that is not the board's own.
fn card(kernel: &Kernel) -> Gpu {
    let known = |gpu: &Gpu| ["10de", "1002", "8086"].contains(&gpu.vendor_id.as_str());
    read(kernel).gpus.into_iter().find(known).unwrap()
}

/// Everything that could be wished of a GPU.
fn wishes(gpu: &Gpu) -> Vec<Wish> {
    let at = |mode| Wish::new(gpu.address.clone(), mode);
    let mut all = vec![
        at(GpuMode::Whole),
        at(GpuMode::Vgpu),
        at(GpuMode::Vf),
        at(GpuMode::Vf).count(2),
        at(GpuMode::Shared),
        at(GpuMode::Host),
    ];
    let profiles = &gpu.modes.vgpu.profiles;
    for profile in [profiles.first(), profiles.get(profiles.len() / 2), profiles.last()].into_iter().flatten() {
        all.push(at(GpuMode::Vgpu).profile(&profile.key).count(profile.max_per_gpu.clamp(1, 3)));
    }
    if let Some(profile) = profiles.get(1) {
        all.push(Wish { mixed: true, ..at(GpuMode::Vgpu).profile(&profile.key).count(1) });
    }
    for wish in &mut all {
        wish.force = true;
    }
    all
}

/// Silences the noise of threads that are killed on purpose.
fn killed(kernel: &Kernel, plan: &Plan, state: &State) -> bool {
    match catch_unwind(AssertUnwindSafe(|| apply(kernel, plan, state))) {
        Ok(_) => false,
        Err(cause) if cause.is::<Killed>() => true,
        Err(cause) => std::panic::resume_unwind(cause),
    }
}

#[derive(Default)]
struct Matrix {
    switches: usize,
    kills: usize,
    refusals: usize,
}

/// From one state of a host to a wish, and everything that can go wrong on the way.
fn torment(from: &Kernel, wish: &Wish, matrix: &mut Matrix) -> Option<Kernel> {
    let planned = plan(from, wish);
    if !planned.refused.is_empty() {
        assert!(planned.steps.is_empty());
        return None;
    }
    let before = from.shape();
    let name = format!("{} {} {:?} {:?}", wish.gpu, wish.mode, wish.profile, wish.count);
    let done = from.fork();
    done.fail(None);
    let kept = state();
    match apply(&done, &planned, &kept) {
        // What only shows when the card's own driver has it again: it is as before.
        Err(ApplyError::Failed { undone: Ok(()), why, .. })
            if wish.mode == GpuMode::Shared && why.contains("renderD") =>
        {
            assert_eq!(done.shape(), before);
            return None;
        }
        other => {
            other.unwrap_or_else(|error| panic!("{name}: {error}\n{:#?}\n{:#?}", planned.steps, done.log()));
        }
    }
    let changes = done.changes();
    let after = done.shape();
    matrix.switches += 1;
    let again = plan(&done, wish);
    assert!(
        again.is_nothing() || planned.needs_reboot,
        "{name}: a second plan has steps: {:#?}{:?}",
        again.steps,
        again.refused
    );

    for at in 0..changes {
        for fault in [Fault::KillBefore(at), Fault::KillAfter(at)] {
            let kernel = from.fork();
            let kept = state();
            kernel.fail(Some(fault));
            assert!(killed(&kernel, &planned, &kept), "{name}: {fault:?} was not met");
            kernel.fail(None);
            let recovered = mode::recover(&kernel, &kept.folder).unwrap();
            assert!(
                recovered
                    .iter()
                    .all(|one| matches!(one.outcome, RecoveryOutcome::RolledBack | RecoveryOutcome::Finished)),
                "{name}: {fault:?}: {recovered:?}"
            );
            let now = kernel.shape();
            assert!(
                now == before || now == after,
                "{name}: {fault:?}: neither as before nor as after:\n{}",
                difference(&before, &now)
            );
            assert!(mode::recover(&kernel, &kept.folder).unwrap().is_empty());
            let next = plan(&kernel, wish);
            apply(&kernel, &next, &kept).unwrap_or_else(|error| panic!("{name}: {fault:?}: then {error}"));
            assert_eq!(kernel.shape(), after, "{name}: {fault:?}: done again it is something else");
            matrix.kills += 1;
        }
        let kernel = from.fork();
        let kept = state();
        kernel.fail(Some(Fault::Errno(at, errno::EBUSY)));
        match apply(&kernel, &planned, &kept) {
            Err(ApplyError::Failed { undone: Ok(()), .. }) => {}
            other => panic!("{name}: refused at {at}: {other:?}"),
        }
        assert_eq!(kernel.shape(), before, "{name}: refused at {at}: {}", difference(&before, &kernel.shape()));
        matrix.refusals += 1;
    }
    Some(done)
}

fn difference(one: &str, other: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (one, other) = (lines(one), lines(other));
    let mut text = String::new();
    for line in one.iter().filter(|line| !other.contains(line)) {
        text.push_str(&format!("- {line}\n"));
    }
    for line in other.iter().filter(|line| !one.contains(line)) {
        text.push_str(&format!("+ {line}\n"));
    }
    text
}

/// From the host as it is to every mode, and from each of these to every other.
fn matrix(name: &str, deep: bool) {
    let kernel = host(name);
    let mut matrix = Matrix::default();
    let gpus: Vec<Gpu> = read(&kernel).gpus;
    let known = |gpu: &&Gpu| ["10de", "1002", "8086"].contains(&gpu.vendor_id.as_str());
    for gpu in gpus.iter().filter(known).take(if deep { 1 } else { 2 }) {
        let wishes = wishes(gpu);
        for wish in &wishes {
            let Some(there) = torment(&kernel, wish, &mut matrix) else { continue };
            for next in wishes.iter().filter(|_| deep) {
                torment(&there, next, &mut matrix);
            }
        }
    }
    println!("{name}: {} switches, {} kills, {} refusals", matrix.switches, matrix.kills, matrix.refusals);
    assert!(matrix.switches > 0, "{name}: nothing could be switched");
}

macro_rules! matrices {
    ($($test:ident: $name:literal $deep:literal,)+) => {$(
        #[test]
        fn $test() {
            matrix($name, $deep);
        }
    )+};
}

matrices! {
    tesla_m60_survives: "tesla-m60" true,
    tesla_t4_survives: "tesla-t4" false,
    l40s_survives: "l40s" false,
    a40_survives: "a40" false,
    rtx_pro_6000_survives: "rtx-pro-6000" false,
    gtx_1080_survives: "gtx-1080" true,
    rtx_2080_ti_survives: "rtx-2080-ti" false,
    firepro_survives: "firepro-s7150x2" false,
    v710_survives: "radeon-pro-v710" false,
    gvt_g_survives: "uhd-630-gvt-g" true,
    alder_lake_survives: "alder-lake-sriov" true,
    flex_170_survives: "flex-170" false,
    twins_survive: "twins" false,
}

#[test]
fn what_cannot_be_says_why() {
    let refused = |name: &str, at: &str, change: &dyn Fn(Wish) -> Wish, mode: GpuMode| -> Vec<(String, String)> {
        let kernel = host(name);
        let gpu: GpuAddress = if at.is_empty() { card(&kernel).address } else { at.parse().unwrap() };
        let plan = plan(&kernel, &change(Wish::new(gpu, mode)));
        plan.refused.into_iter().map(|one| (one.code, one.reason)).collect()
    };
    let same = |wish: Wish| wish;
    let m60 = refused("tesla-m60", "", &|wish| wish.profile("M60-3Q"), GpuMode::Vgpu);
    assert_eq!(m60[0].0, "no-such-profile");
    assert!(m60[0].1.contains("M60-2Q"), "{m60:?}");
    let m60 = refused("tesla-m60", "", &|wish| wish.profile("M60-2Q").count(5), GpuMode::Vgpu);
    assert_eq!(m60[0].0, "too-many");
    assert_eq!(refused("no-iommu", "", &same, GpuMode::Whole)[0].0, "no-iommu");
    let dirty = refused("threadripper", "", &same, GpuMode::Whole);
    println!("{dirty:?}");
    let missing = mode::plan(
        &host("tesla-m60"),
        &read(&host("tesla-m60")),
        &Wish::new("ff:00.0".parse().unwrap(), GpuMode::Host),
    );
    assert!(missing.unwrap_err().to_string().contains("oriel gpu list"));
}

#[test]
fn sizes_are_mixed_where_the_tables_allow() {
    let kernel = host("l40s");
    let kept = state();
    let gpu: GpuAddress = "c1:00.0".parse().unwrap();
    let wish = |count| Wish { mixed: true, ..Wish::new(gpu.clone(), GpuMode::Vgpu).profile("L40S-8Q").count(count) };
    let refused = plan(&kernel, &wish(6)).refused;
    assert_eq!(refused[0].code, "too-many");
    assert!(refused[0].reason.contains("at most 4 slices L40S-8Q while sizes are mixed"), "{refused:?}");
    apply(&kernel, &plan(&kernel, &wish(4)), &kept).unwrap();
    let card = read(&kernel).gpu(&gpu).unwrap().clone();
    let places: Vec<Option<u8>> = card.slices.iter().map(|slice| slice.placement).collect();
    assert_eq!(places, [Some(0), Some(16), Some(24), Some(40)]);
    assert!(plan(&kernel, &wish(4)).is_nothing());
}

#[test]
fn what_is_so_already_is_left_alone() {
    // MIG instances that the host made for itself stay.
    let kernel = host("h100-mig");
    let gpu = card(&kernel);
    assert!(!gpu.slices.is_empty());
    assert!(plan(&kernel, &Wish::new(gpu.address, GpuMode::Host)).is_nothing());
    // Graphics on a chip are no PCI device, and shared all the same.
    let tree = zoo::build("raspberry-pi-5");
    let gpus = read(&host("raspberry-pi-5"));
    let v3d = gpus.gpus.iter().find(|gpu| gpu.modes.shared.available).unwrap();
    let plan = mode::plan(&tree, &gpus, &Wish::new(v3d.address.clone(), GpuMode::Shared)).unwrap();
    assert!(plan.is_nothing(), "{:?}", plan.refused);
}

#[test]
fn a_used_gpu_is_left_alone() {
    let kernel = host("gtx-1080");
    let gpu = card(&kernel);
    let kept = state();
    let whole = Wish { force: true, ..Wish::new(gpu.address.clone(), GpuMode::Whole) };
    apply(&kernel, &plan(&kernel, &whole), &kept).unwrap();
    let group = gpu.iommu_group.unwrap().id;
    // Planned while it was free, applied when it was not.
    let back = plan(&kernel, &Wish::new(gpu.address.clone(), GpuMode::Host));
    assert!(back.refused.is_empty());
    kernel.open_group(group).unwrap();
    let before = kernel.shape();
    assert_eq!(plan(&kernel, &Wish::new(gpu.address.clone(), GpuMode::Host)).refused[0].code, "in-use");
    let error = apply(&kernel, &back, &kept).unwrap_err().to_string();
    assert!(error.contains("qemu-system-x86 (process 424242)"), "{error}");
    assert_eq!(kernel.shape(), before);
    kernel.close_group(group);
    apply(&kernel, &back, &kept).unwrap();
}

#[test]
fn modes_come_back_at_boot() {
    let kernel = host("tesla-m60");
    let fresh = kernel.fork();
    let kept = state();
    let gpus: Vec<Gpu> = read(&kernel).gpus.into_iter().filter(|gpu| gpu.vendor_id == "10de").collect();
    let wish = Wish::new(gpus[0].address.clone(), GpuMode::Vgpu).profile("M60-2Q").count(2);
    apply(&kernel, &plan(&kernel, &wish), &kept).unwrap();
    let other = Wish { force: true, ..Wish::new(gpus[1].address.clone(), GpuMode::Whole) };
    apply(&kernel, &plan(&kernel, &other), &kept).unwrap();
    kept.folder.remember(&Wish::new("0000:ee:00.0".parse().unwrap(), GpuMode::Whole)).unwrap();
    let outcomes = |kernel: &Kernel| -> Vec<ReapplyOutcome> {
        mode::reapply(kernel, &read(kernel), &kept.folder).unwrap().into_iter().map(|one| one.outcome).collect()
    };
    assert_eq!(outcomes(&fresh), [ReapplyOutcome::Done, ReapplyOutcome::Done, ReapplyOutcome::Missing]);
    assert_eq!(fresh.shape(), kernel.shape());
    assert_eq!(outcomes(&fresh), [ReapplyOutcome::Nothing, ReapplyOutcome::Nothing, ReapplyOutcome::Missing]);
}

#[test]
fn one_switch_of_a_gpu_at_a_time() {
    let kernel = host("gtx-1080");
    let gpu = card(&kernel).address;
    let plan = plan(&kernel, &Wish { force: true, ..Wish::new(gpu, GpuMode::Whole) });
    let kept = state();
    let mut inner = None;
    mode::apply(&kernel, &plan, &kept.folder, &mut |_| {
        inner.get_or_insert_with(|| mode::apply(&kernel, &plan, &kept.folder, &mut |_| {}).unwrap_err().to_string());
    })
    .unwrap();
    assert!(inner.unwrap().contains("is being switched by another program"));
}

#[test]
fn a_capture_is_planned_for_and_not_changed() {
    let tree = zoo::build("gtx-1080");
    let gpus = inventory(&tree, &oriel_gpu::inventory::Options::default()).unwrap();
    let wish = Wish { force: true, ..Wish::new(gpus.gpus[0].address.clone(), GpuMode::Whole) };
    let plan = mode::plan(&tree, &gpus, &wish).unwrap();
    assert!(!plan.steps.is_empty());
    assert!(matches!(mode::apply(&tree, &plan, &state().folder, &mut |_| {}), Err(ApplyError::NotLive)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Whatever is wished one after the other, and wherever the program dies: it goes on, and the way to `host` stays open.
    #[test]
    fn nothing_ever_gets_stuck(
        name in proptest::sample::select(vec!["tesla-m60", "l40s", "gtx-1080", "firepro-s7150x2", "alder-lake-sriov", "a40"]),
        path in proptest::collection::vec((0_usize..16, proptest::option::of((0_u64..12, proptest::bool::ANY))), 1..8),
    ) {
        let kernel = host(name);
        let kept = state();
        let gpu = card(&kernel);
        let all = wishes(&gpu);
        for (choice, kill) in path {
            let planned = plan(&kernel, &all[choice % all.len()]);
            if !planned.refused.is_empty() {
                continue;
            }
            kernel.fail(kill.map(|(at, after)| if after { Fault::KillAfter(at) } else { Fault::KillBefore(at) }));
            let died = killed(&kernel, &planned, &kept);
            kernel.fail(None);
            for one in mode::recover(&kernel, &kept.folder).unwrap() {
                assert!(!matches!(one.outcome, RecoveryOutcome::Stuck(_)), "{one:?}");
            }
            if !died && kept.folder.wishes().unwrap().contains(&planned.wish()) {
                assert!(plan(&kernel, &all[choice % all.len()]).is_nothing() || planned.needs_reboot);
            }
        }
        let home = plan(&kernel, &Wish::new(gpu.address, GpuMode::Host));
        assert!(home.refused.is_empty(), "{:?}", home.refused);
        apply(&kernel, &home, &kept).unwrap();
    }
}

mod assignment {
    use super::*;
    use oriel_gpu::assign::{self, AssignError};
    use oriel_model::{GpuHold, GpuUnit};
    use uuid::Uuid;

    fn desktop(number: u128) -> Uuid {
        Uuid::from_u128(0x0199_a0b2_7c1d_7e33_9a44_0000_0000_0000 + number)
    }

    fn held(
        kernel: &Kernel,
        mode: GpuMode,
        profile: Option<&str>,
        number: u128,
        taken: &[GpuHold],
    ) -> Result<GpuHold, AssignError> {
        let wish = assign::Wish {
            mode,
            profile: profile.map(str::to_owned),
            slots: vec![number as u8],
            desktop: oriel_model::DesktopId(desktop(number)),
            ordinal: 0,
        };
        let gpus = read(kernel);
        assign::hold(&gpus, &card(kernel), &wish, taken)
    }

    /// Whatever is killed in the middle: the same again arrives at the same.
    fn idempotent(kernel: &Kernel, act: impl Fn(&Kernel)) {
        let done = kernel.fork();
        done.fail(None);
        act(&done);
        for at in 0..done.changes() {
            for fault in [Fault::KillBefore(at), Fault::KillAfter(at)] {
                let other = kernel.fork();
                other.fail(Some(fault));
                assert!(catch_unwind(AssertUnwindSafe(|| act(&other))).is_err());
                other.fail(None);
                act(&other);
                act(&other);
                assert_eq!(other.shape(), done.shape(), "{fault:?}");
            }
        }
    }

    #[test]
    fn mediated_devices_come_and_go() {
        let kernel = host("tesla-m60");
        let kept = state();
        apply(&kernel, &plan(&kernel, &Wish::new(card(&kernel).address, GpuMode::Host)), &kept).unwrap();
        let empty = kernel.shape();
        let first = held(&kernel, GpuMode::Vgpu, Some("M60-4Q"), 1, &[]).unwrap();
        idempotent(&kernel, |kernel| assign::prepare(kernel, &first).unwrap());
        assign::prepare(&kernel, &first).unwrap();
        let second = held(&kernel, GpuMode::Vgpu, Some("M60-4Q"), 2, std::slice::from_ref(&first)).unwrap();
        assign::prepare(&kernel, &second).unwrap();
        assert_ne!(first.unit, second.unit);
        // Full, and another type beside it cannot be.
        for key in ["M60-4Q", "M60-1Q"] {
            let third = held(&kernel, GpuMode::Vgpu, Some(key), 3, &[]).unwrap();
            assert!(matches!(assign::prepare(&kernel, &third), Err(AssignError::NoRoom { .. })));
        }
        let gpus = read(&kernel);
        assert_eq!(assign::leftovers(&kernel, &gpus, &[first.clone(), second.clone()], &[]), []);
        let left = assign::leftovers(&kernel, &gpus, std::slice::from_ref(&first), &[]);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].hold.unit, second.unit);
        assign::release(&kernel, &left[0].hold).unwrap();
        // A machine holds the other.
        let GpuUnit::Mdev { uuid, .. } = &first.unit else { panic!() };
        let group = kernel.link_name(&format!("/sys/bus/mdev/devices/{uuid}/iommu_group")).unwrap().parse().unwrap();
        kernel.open_group(group).unwrap();
        assert!(assign::release(&kernel, &first).unwrap_err().to_string().contains("in use by qemu-system-x86"));
        kernel.close_group(group);
        idempotent(&kernel, |kernel| assign::release(kernel, &first).unwrap());
        assign::release(&kernel, &first).unwrap();
        assert_eq!(kernel.shape(), empty);
    }

    #[test]
    fn vendor_functions_carry_and_are_freed() {
        let kernel = host("l40s");
        let kept = state();
        let gpu = card(&kernel);
        apply(&kernel, &plan(&kernel, &Wish::new(gpu.address.clone(), GpuMode::Host)), &kept).unwrap();
        apply(&kernel, &plan(&kernel, &Wish::new(gpu.address.clone(), GpuMode::Vgpu)), &kept).unwrap();
        let first = held(&kernel, GpuMode::Vgpu, Some("L40S-24Q"), 1, &[]).unwrap();
        idempotent(&kernel, |kernel| assign::prepare(kernel, &first).unwrap());
        assign::prepare(&kernel, &first).unwrap();
        let second = held(&kernel, GpuMode::Vgpu, Some("L40S-24Q"), 2, std::slice::from_ref(&first)).unwrap();
        assign::prepare(&kernel, &second).unwrap();
        let third = held(&kernel, GpuMode::Vgpu, Some("L40S-8Q"), 3, &[first.clone(), second.clone()]).unwrap();
        assert!(matches!(assign::prepare(&kernel, &third), Err(AssignError::NoRoom { .. })));
        let left = assign::leftovers(&kernel, &read(&kernel), &[second], std::slice::from_ref(&gpu.address));
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].hold.unit, first.unit);
        assign::release(&kernel, &first).unwrap();
        assign::release(&kernel, &first).unwrap();
    }

    #[test]
    fn a_slice_lies_where_it_was_claimed() {
        let kernel = host("l40s");
        let kept = state();
        let gpu = card(&kernel);
        apply(&kernel, &plan(&kernel, &Wish::new(gpu.address.clone(), GpuMode::Host)), &kept).unwrap();
        let mixed = Wish { mixed: true, ..Wish::new(gpu.address.clone(), GpuMode::Vgpu) };
        apply(&kernel, &plan(&kernel, &mixed), &kept).unwrap();
        let first = held(&kernel, GpuMode::Vgpu, Some("L40S-8Q"), 24, &[]).unwrap();
        idempotent(&kernel, |kernel| assign::prepare(kernel, &first).unwrap());
        assign::prepare(&kernel, &first).unwrap();
        let now = read(&kernel);
        assert_eq!(now.gpu(&gpu.address).unwrap().slices[0].placement, Some(24));
        assign::release(&kernel, &first).unwrap();
    }

    #[test]
    fn virtual_functions_are_bound_one_by_one() {
        let kernel = host("alder-lake-sriov");
        let kept = state();
        let wish = Wish { force: true, ..Wish::new(card(&kernel).address, GpuMode::Vf).count(2) };
        apply(&kernel, &plan(&kernel, &wish), &kept).unwrap();
        let first = held(&kernel, GpuMode::Vf, None, 0, &[]).unwrap();
        let second = held(&kernel, GpuMode::Vf, None, 1, std::slice::from_ref(&first)).unwrap();
        assert_ne!(first.unit, second.unit);
        assert!(matches!(
            held(&kernel, GpuMode::Vf, None, 2, &[first.clone(), second]),
            Err(AssignError::NoRoom { .. })
        ));
        idempotent(&kernel, |kernel| assign::prepare(kernel, &first).unwrap());
    }

    #[test]
    fn a_whole_gpu_must_be_handed_out_first() {
        let kernel = host("gtx-1080");
        let hold = held(&kernel, GpuMode::Whole, None, 0, &[]).unwrap();
        assert!(assign::prepare(&kernel, &hold).unwrap_err().to_string().contains("oriel gpu mode set"));
        let wish = Wish { force: true, ..Wish::new(card(&kernel).address, GpuMode::Whole) };
        apply(&kernel, &plan(&kernel, &wish), &state()).unwrap();
        assign::prepare(&kernel, &hold).unwrap();
        let GpuUnit::Whole { functions } = &hold.unit else { panic!() };
        assert_eq!(functions.len(), 2);
    }
}
