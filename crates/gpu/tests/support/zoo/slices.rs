//! Virtual functions, mediated devices, and NVIDIA's vendor VFIO.

use super::{
    boards::{Board, Profile, Rule},
    description::{Created, Description, Sriov},
    pci::{Function, Machine, link},
};
use oriel_gpu::sysfs::Tree;

pub fn add(tree: &mut Tree, description: &Description, machine: &Machine) {
    let mut group = machine.groups.values().max().map_or(0, |last| last + 1);
    for (row, pci) in description.pci.iter().enumerate() {
        for function in machine.of_row(row) {
            for (number, vf) in machine.virtual_functions(function.address).into_iter().enumerate() {
                link(tree, &format!("{}/virtfn{number}", function.path), &vf.path);
                link(tree, &format!("{}/physfn", vf.path), &function.path);
            }
            if let Some(mdev) = &pci.mdev {
                let board = Board::read(&mdev.table);
                let driver = pci.driver.as_deref().expect("a parent of mediated devices has a driver");
                let here: Vec<_> = mdev.created.iter().filter(|one| one.gpu == function.which).collect();
                types(tree, &board, driver, function, &here, &here, None, &mut group);
            }
            let Some(sriov) = &pci.sriov else { continue };
            let here: Vec<_> = sriov.created.iter().filter(|one| one.gpu == function.which).collect();
            for (number, vf) in machine.virtual_functions(function.address).into_iter().enumerate() {
                let mine: Vec<_> = here.iter().copied().filter(|one| one.vf == number as u32).collect();
                if let Some(table) = &sriov.mdev {
                    types(tree, &Board::read(table), "nvidia", vf, &mine, &here, Some(1), &mut group);
                }
                if let Some(table) = &sriov.vendor_vfio {
                    vendor(tree, &Board::read(table), vf, mine.first().copied(), &here, sriov);
                }
            }
        }
    }
}

/// `mdev_supported_types` of a parent. `on_gpu` are all slices of the GPU, `here` those of this parent; `most` is how many the
/// parent itself may carry.
#[expect(clippy::too_many_arguments, reason = "a parent and all that its numbers depend on")]
fn types(
    tree: &mut Tree,
    board: &Board,
    driver: &str,
    parent: &Function,
    here: &[&Created],
    on_gpu: &[&Created],
    most: Option<u32>,
    group: &mut u32,
) {
    let path = &parent.path;
    link(tree, &format!("/sys/class/mdev_bus/{}", parent.address), path);
    let existing: Vec<&Profile> = on_gpu.iter().map(|one| board.profile(&one.profile)).collect();
    for profile in &board.profiles {
        let pool = board.rule == Rule::Pool;
        let name = if pool { format!("{}{}", board.prefix, profile.name) } else { board.name(profile) };
        let id = if pool { format!("{driver}-{name}") } else { format!("{driver}-{}", profile.id) };
        let folder = format!("{path}/mdev_supported_types/{id}");
        let mut free = board.free(profile, &existing);
        if let Some(most) = most {
            free = free.min(most.saturating_sub(here.len() as u32));
        }
        tree.file(&format!("{folder}/available_instances"), format!("{free}\n"));
        tree.file(&format!("{folder}/device_api"), "vfio-pci\n");
        tree.file(&format!("{folder}/name"), format!("{name}\n"));
        let description = if pool {
            let [low, high, fence, weight] = profile.takes;
            format!(
                "low_gm_size: {low}MB\nhigh_gm_size: {high}MB\nfence: {fence}\nresolution: {}\nweight: {weight}\n",
                profile.res
            )
        } else {
            format!(
                "num_heads={}, frl_config={}, framebuffer={}M, max_resolution={}, max_instance={}\n",
                profile.heads, profile.frl, profile.fb, profile.res, profile.max
            )
        };
        tree.file(&format!("{folder}/description"), description);
        tree.folder(&format!("{folder}/devices"));
        for one in here.iter().filter(|one| one.profile == profile.name) {
            let uuid = one.uuid.as_deref().expect("a mediated device has a UUID");
            let device = format!("{path}/{uuid}");
            link(tree, &format!("{folder}/devices/{uuid}"), &device);
            link(tree, &format!("{device}/mdev_type"), &folder);
            link(tree, &format!("/sys/bus/mdev/devices/{uuid}"), &device);
            let driver = if pool { "vfio_mdev" } else { "nvidia-vgpu-vfio" };
            link(tree, &format!("{device}/driver"), &format!("/sys/bus/mdev/drivers/{driver}"));
            tree.folder(&format!("/sys/bus/mdev/drivers/{driver}"));
            link(tree, &format!("{device}/iommu_group"), &format!("/sys/kernel/iommu_groups/{group}"));
            link(tree, &format!("/sys/kernel/iommu_groups/{group}/devices/{uuid}"), &device);
            *group += 1;
            if !pool {
                tree.file(&format!("{device}/nvidia/vgpu_params"), "\n");
            }
        }
    }
}

/// `nvidia/` of a virtual function: which type it is, and which it could become.
fn vendor(tree: &mut Tree, board: &Board, vf: &Function, mine: Option<&Created>, on_gpu: &[&Created], sriov: &Sriov) {
    let folder = format!("{}/nvidia", vf.path);
    let existing: Vec<&Profile> = on_gpu.iter().map(|one| board.profile(&one.profile)).collect();
    let places: Vec<(u32, &Profile)> =
        on_gpu.iter().filter_map(|one| one.placement.map(|place| (place, board.profile(&one.profile)))).collect();
    let mut creatable = String::new();
    if mine.is_none() {
        creatable += "ID    : vGPU Name\n";
        for profile in &board.profiles {
            let room = if sriov.mixed_size {
                !Board::placements(profile, &places).is_empty()
            } else {
                board.room(profile, &existing, sriov.mig_instances)
            };
            if room {
                creatable += &format!("{:<5} : {}\n", profile.id, board.name(profile));
            }
        }
        if creatable.lines().count() == 1 {
            creatable.clear();
        }
    }
    let current = mine.map_or(0, |one| board.profile(&one.profile).id);
    tree.file(&format!("{folder}/creatable_vgpu_types"), creatable);
    tree.file(&format!("{folder}/current_vgpu_type"), format!("{current}\n"));
    tree.file(&format!("{folder}/vgpu_params"), "\n");
}
