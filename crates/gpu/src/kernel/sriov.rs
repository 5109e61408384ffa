//! Virtual functions (`drivers/pci/iov.c`).

use super::{
    DEVICES, State,
    errno::{EBUSY, EINVAL, ENOENT, ERANGE},
    error, name_of, parent_of,
};
use crate::sysfs::{Node, Sysfs};
use oriel_model::PciAddress;
use std::io;

/// Drivers without `sriov_configure`, or whose tools alone may use it.
const WITHOUT_CONFIGURE: &[&str] = &["nvidia", "gim", "vfio-pci", "pci-stub"];

impl State {
    /// What existing functions carry, so that new ones are like them.
    pub(super) fn learn_functions(&mut self) {
        for address in self.tree.list(DEVICES).unwrap_or_default() {
            let Some(device) = self.device(&address) else { continue };
            let Ok(function) = self.tree.real_path(&format!("{device}/virtfn0")) else { continue };
            let mut files = Vec::new();
            for below in ["mdev_supported_types", "nvidia"] {
                let root = format!("{function}/{below}");
                for (path, node) in self.tree.nodes().filter(|(path, _)| path.starts_with(&root)) {
                    if let Some(rest) = path.strip_prefix(&format!("{function}/")) {
                        files.push((rest.to_owned(), node.clone()));
                    }
                }
            }
            self.templates.insert(address, files);
        }
    }

    /// `sriov_numvfs_store`.
    pub(super) fn set_functions(&mut self, device: &str, word: &str) -> io::Result<()> {
        let wanted: u64 = word.trim().parse().map_err(|_| error(EINVAL))?;
        let number = |name: &str| self.tree.number(&format!("{device}/{name}")).unwrap_or(0);
        if wanted > number("sriov_totalvfs") {
            return Err(error(ERANGE));
        }
        let now = number("sriov_numvfs");
        if wanted == now {
            return Ok(());
        }
        match self.driver(device) {
            Some(driver) if !WITHOUT_CONFIGURE.contains(&driver.as_str()) => {}
            _ => return Err(error(ENOENT)),
        }
        if wanted == 0 {
            self.remove_functions(device);
            return Ok(());
        }
        if now != 0 {
            return Err(error(EBUSY));
        }
        self.make_functions(device, wanted);
        Ok(())
    }

    pub(super) fn make_functions(&mut self, device: &str, count: u64) {
        let Ok(physical) = name_of(device).parse::<PciAddress>() else { return };
        let number = |name: &str| self.tree.number(&format!("{device}/{name}")).unwrap_or(1);
        let (offset, stride) = (number("sriov_offset"), number("sriov_stride"));
        let probe = self.text(&format!("{device}/sriov_drivers_autoprobe")) != "0";
        for index in 0..count {
            let function = crate::mode::function_address(physical, offset, stride, index);
            self.make_function(device, index, &function.to_string());
            if probe {
                self.probe(&function.to_string()).ok();
            }
        }
        self.tree.file(&format!("{device}/sriov_numvfs"), format!("{count}\n"));
    }

    fn make_function(&mut self, device: &str, index: u64, address: &str) {
        let path = format!("{}/{address}", parent_of(device));
        let (vendor, id) = self.ids(device);
        let own_id = self.text(&format!("{device}/sriov_vf_device"));
        let id = match own_id.trim_start_matches("0x") {
            "" => id,
            own => format!("0x{own}"),
        };
        let like = |name: &str| format!("{}\n", self.text(&format!("{device}/{name}")));
        for (name, content) in [
            ("vendor", format!("{vendor}\n")),
            ("device", format!("{id}\n")),
            ("class", like("class")),
            ("subsystem_vendor", like("subsystem_vendor")),
            ("subsystem_device", like("subsystem_device")),
            ("numa_node", like("numa_node")),
            ("driver_override", "(null)\n".to_owned()),
        ] {
            self.tree.file(&format!("{path}/{name}"), content);
        }
        self.tree.link_to(&format!("{path}/physfn"), device.to_owned());
        self.tree.link_to(&format!("{device}/virtfn{index}"), path.clone());
        if parent_of(device) != DEVICES {
            self.tree.link_to(&format!("{DEVICES}/{address}"), path.clone());
        }
        if self.group(device).is_some() {
            self.make_group(&path);
        }
        for (name, node) in self.templates.get(name_of(device)).cloned().unwrap_or_default() {
            let node = match node {
                Node::File(_) if name.ends_with("/current_vgpu_type") => Node::File(b"0\n".to_vec()),
                other => other,
            };
            self.tree.put(&format!("{path}/{name}"), node);
        }
        if self.tree.exists(&format!("{path}/mdev_supported_types")) {
            self.tree.link_to(&format!("/sys/class/mdev_bus/{address}"), path.clone());
            self.learn_pool(&path);
            self.recount(&path);
        }
    }

    /// The folders of a device's functions, in order.
    pub(super) fn functions(&self, device: &str) -> Vec<String> {
        let count = self.tree.number(&format!("{device}/sriov_numvfs")).unwrap_or(0);
        (0..count).filter_map(|index| self.tree.real_path(&format!("{device}/virtfn{index}")).ok()).collect()
    }

    pub(super) fn remove_functions(&mut self, device: &str) {
        let functions = self.functions(device);
        if functions.is_empty() {
            return;
        }
        for (index, function) in functions.iter().enumerate() {
            self.remove_device(function);
            self.tree.remove(&format!("{device}/virtfn{index}"));
            self.tree.remove(&format!("/sys/class/mdev_bus/{}", name_of(function)));
        }
        self.tree.file(&format!("{device}/sriov_numvfs"), "0\n");
    }

    /// gim makes functions when it is loaded: as its parameter says, or its options, or its configuration.
    pub(super) fn module_loaded(&mut self, module: &str, parameters: &[&str]) {
        if module != "gim" {
            return;
        }
        let numbers = |text: &str| -> Option<Vec<u64>> {
            let (_, rest) = text.split_once("vf_num=")?;
            rest.split_whitespace().next()?.split(',').map(|number| number.parse().ok()).collect()
        };
        let counts = numbers(&parameters.join(" "))
            .or_else(|| numbers(&self.text("/etc/modprobe.d/oriel-gim.conf")))
            .or_else(|| numbers(&self.text("/etc/gim_config")))
            .unwrap_or_default();
        let mut number = 0;
        for address in self.tree.list(DEVICES).unwrap_or_default() {
            let Some(device) = self.device(&address) else { continue };
            let is_ours = self.native.get(&self.ids(&device)).is_some_and(|driver| driver == "gim");
            let total = self.tree.number(&format!("{device}/sriov_totalvfs")).unwrap_or(0);
            if !is_ours || total == 0 || self.probe(&address).is_err() {
                continue;
            }
            if self.driver(&device).as_deref() == Some("gim") {
                // 0, and what is not said, is as many as there can be.
                let count = counts.get(number).or(counts.last()).copied().filter(|count| *count > 0).unwrap_or(total);
                self.make_functions(&device, count.min(total));
                number += 1;
            }
        }
    }
}
