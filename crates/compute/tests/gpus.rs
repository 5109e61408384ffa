//! Desktops' slices on the host in memory, through the whole trait: what is free, what is full, what is left behind.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use oriel_compute::{
    Compute,
    fake::{FakeCompute, FakeMode, FakeStep, M60_GPUS},
};
use oriel_gpu::{Inventory, inventory::Profile, mode::desktop_slice};
use oriel_model::{DesktopId, GpuAddress, GpuHold, GpuMode, GpuSwitch, GpuUnit, PciAddress};

fn gpu(index: usize) -> GpuAddress {
    M60_GPUS.get(index).unwrap().parse().unwrap()
}

fn profile<'a>(inventory: &'a Inventory, gpu: &GpuAddress, key: &str) -> &'a Profile {
    inventory.gpu(gpu).unwrap().profile(key).unwrap()
}

fn hold(gpu: &GpuAddress, key: &str, type_id: &str, slot: u8) -> GpuHold {
    GpuHold {
        gpu: gpu.clone(),
        mode: GpuMode::Vgpu,
        profile: Some(key.to_owned()),
        slots: Vec::from([slot]),
        unit: GpuUnit::Mdev {
            uuid: desktop_slice(DesktopId::new().0, 0),
            parent: gpu.clone(),
            type_id: type_id.to_owned(),
        },
    }
}

#[tokio::test]
async fn a_card_gives_slices_until_it_is_full() {
    let host = FakeCompute::new("m60", FakeMode::Auto).with_m60();
    let (one, other) = (gpu(0), gpu(1));
    let inventory = host.gpus().await.unwrap();
    assert_eq!(inventory.gpus.len(), 2);
    for gpu in &inventory.gpus {
        assert_eq!(
            (gpu.mode, gpu.vendor.as_str(), gpu.modes.vgpu.available),
            (GpuMode::Vgpu, "NVIDIA", true),
            "{gpu:?}"
        );
    }
    assert_eq!((profile(&inventory, &one, "M60-2Q").max_per_gpu, profile(&inventory, &one, "M60-2Q").free), (4, 4));

    let mut holds = Vec::new();
    for slot in 0..4 {
        let hold = hold(&one, "M60-2Q", "nvidia-18", slot * 4);
        // Twice, as a reconciler that was killed does.
        host.prepare_gpu(&hold).await.unwrap();
        host.prepare_gpu(&hold).await.unwrap();
        holds.push(hold);
    }
    let inventory = host.gpus().await.unwrap();
    assert_eq!(profile(&inventory, &one, "M60-2Q").free, 0);
    assert_eq!(profile(&inventory, &one, "M60-1Q").free, 0, "all slices of a Maxwell GPU are of one type");
    assert_eq!(profile(&inventory, &other, "M60-1Q").free, 8, "the board's other GPU is one of its own");
    assert_eq!(inventory.gpu(&one).unwrap().slices.len(), 4);
    let mut known = host.gpu_slices().await.unwrap();
    known.sort_by_key(|hold| format!("{:?}", hold.unit));
    let mut units: Vec<_> = holds.iter().map(|hold| hold.unit.clone()).collect();
    units.sort_by_key(|unit| format!("{unit:?}"));
    assert_eq!(known.into_iter().map(|hold| hold.unit).collect::<Vec<_>>(), units);

    // One more, which nobody should have asked for, is refused by the kernel and said in words.
    for (key, type_id) in [("M60-2Q", "nvidia-18"), ("M60-1Q", "nvidia-15")] {
        let error = host.prepare_gpu(&hold(&one, key, type_id, 0)).await.unwrap_err().to_string();
        assert!(error.contains(&format!("0000:06:00.0 has no room for {type_id}")), "{error}");
    }
    assert!(host.prepare_gpu(&hold(&one, "M60-3Q", "nvidia-3", 0)).await.is_err());

    for hold in &holds {
        host.release_gpu(hold).await.unwrap();
        host.release_gpu(hold).await.unwrap();
    }
    let inventory = host.gpus().await.unwrap();
    assert_eq!(profile(&inventory, &one, "M60-1Q").free, 8);
    assert!(host.gpu_slices().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_switch_is_planned_shown_and_done() {
    let host = FakeCompute::new("m60", FakeMode::Auto).with_m60();
    let switch = GpuSwitch::new(gpu(0), GpuMode::Whole);
    let plan = host.plan_gpu_mode(&switch).await.unwrap();
    assert!(plan.refused.is_empty() && !plan.steps.is_empty(), "{plan:#?}");
    let heard = std::sync::Mutex::new(Vec::new());
    let listen = |number: usize, of: usize, does: &str| heard.lock().unwrap().push(format!("{number}/{of} {does}"));
    host.apply_gpu_mode(&plan, &listen).await.unwrap();
    let heard = heard.into_inner().unwrap();
    eprintln!("{heard:#?}");
    assert_eq!(heard.len(), plan.steps.len());
    let inventory = host.gpus().await.unwrap();
    assert_eq!(inventory.gpu(&gpu(0)).unwrap().mode, GpuMode::Whole);
    assert_eq!(inventory.gpu(&gpu(1)).unwrap().mode, GpuMode::Vgpu);

    // Now it is a unit of its own; the other still is none.
    let whole = |gpu: &GpuAddress| GpuHold {
        mode: GpuMode::Whole,
        profile: None,
        unit: GpuUnit::Whole { functions: gpu.pci().into_iter().collect::<Vec<PciAddress>>() },
        ..hold(gpu, "", "", 0)
    };
    host.prepare_gpu(&whole(&gpu(0))).await.unwrap();
    host.release_gpu(&whole(&gpu(0))).await.unwrap();
    let error = host.prepare_gpu(&whole(&gpu(1))).await.unwrap_err().to_string();
    assert!(error.contains("bound to nvidia") && error.contains("oriel gpu mode set 0000:07:00.0 whole"), "{error}");

    // A slice that nobody has open would go first: whoever knows the claims says whether it may.
    let hold = hold(&gpu(1), "M60-4Q", "nvidia-20", 0);
    host.prepare_gpu(&hold).await.unwrap();
    let plan = host.plan_gpu_mode(&GpuSwitch { gpu: gpu(1), ..switch }).await.unwrap();
    assert!(plan.needs_drain && plan.steps.first().unwrap().does.contains("remove the slice"), "{plan:#?}");
}

#[tokio::test]
async fn steps_can_be_made_to_fail() {
    let host = FakeCompute::new("m60", FakeMode::Auto).with_m60();
    let hold = hold(&gpu(0), "M60-2Q", "nvidia-18", 0);
    host.fail_next(FakeStep::PrepareGpu, "the kernel says no");
    assert_eq!(host.prepare_gpu(&hold).await.unwrap_err().to_string(), "the kernel says no");
    host.prepare_gpu(&hold).await.unwrap();
    let without = FakeCompute::new("plain", FakeMode::Auto);
    assert!(without.gpus().await.unwrap().gpus.is_empty());
    assert!(without.prepare_gpu(&hold).await.unwrap_err().to_string().contains("no GPU 0000:06:00.0 on host plain"));
}
