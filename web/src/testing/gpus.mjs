// GPUs of the mock house: a Tesla M60 whose halves are sliced, one of them with holders; a GTX 1080 that shows the host's
// console and shares its group; an integrated GPU that is shared.
/** A slice that another program made. */
const STRANGER = "f4a1c2de-0b6e-4c51-9c4e-2f6f0f9d8a11";
const IN_NO_OTHER =
  "the card and its driver know no slices: it has no mdev_supported_types and no nvidia folder";

const NOT_MIXED = "Tesla M60 cannot hold slices of several sizes by choice; leave `mixed` out";

const profile = (key, id, mib, most, free, heads, resolution, limit, license) => ({
  key,
  id: `nvidia-${id}`,
  framebuffer_mib: mib,
  max_per_gpu: most,
  free,
  heads,
  max_resolution: resolution,
  frame_rate_limit: limit,
  license,
});

const m60 = (free) => [
  profile("M60-8Q", 22, 8192, 1, free(1), 4, "5120x2880", 60, "vWS"),
  profile("M60-4Q", 20, 4096, 2, free(2), 4, "5120x2880", 60, "vWS"),
  profile("M60-2Q", 18, 2048, 4, free(4), 4, "5120x2880", 60, "vWS"),
  profile("M60-1Q", 15, 1024, 8, free(8), 4, "5120x2880", 60, "vWS"),
  profile("M60-2B", 17, 2048, 4, free(4), 4, "5120x2880", 45, "vPC"),
  profile("M60-1B", 14, 1024, 8, free(8), 4, "5120x2880", 45, "vPC"),
  profile("M60-0B", 11, 512, 16, free(16), 2, "2560x1600", 45, "vPC"),
  profile("M60-1A", 13, 1024, 8, free(8), 1, "1280x1024", 60, "vApps"),
];

const function_ = (address, gpuClass, name, driver) => ({ address, class: gpuClass, name, driver });
const no = (...reasons) => ({ available: false, reasons });
const yes = { available: true, reasons: [] };

export function gpus(desktops) {
  const hold = (desktop, slots) => ({
    desktop: { id: desktop.id, name: desktop.name },
    mode: "vgpu",
    profile: "M60-2Q",
    slots,
  });
  const half = (address, group, holders, strangers = []) => ({
    address,
    vendor_id: "10de",
    device_id: "13f2",
    vendor: "NVIDIA",
    name: "GM204GL [Tesla M60]",
    board: "Tesla M60",
    class: "0300",
    driver: "nvidia",
    mode: "vgpu",
    boot_vga: false,
    vram_mib: 8192,
    numa_node: 0,
    functions: [function_(address, "0300", "GM204GL [Tesla M60]", "nvidia")],
    iommu_group: { id: group, viable: true, blockers: [] },
    reset_methods: ["bus"],
    modes: {
      whole: yes,
      vgpu: {
        ...yes,
        regime: "same_type",
        profiles: m60((most) => (holders.length === 0 ? most : most === 4 ? most - holders.length : 0)),
      },
      vf: { ...no("the card has no SR-IOV capability"), total: 0, enabled: 0 },
      shared: { ...no("the vGPU host driver draws nothing: it has no render node"), render_node: null },
    },
    slots: 16,
    holders,
    strangers,
    only_profile: null,
    switching: null,
  });
  const [one, two] = desktops;
  return [
    {
      address: "0000:00:02.0",
      vendor_id: "8086",
      device_id: "4680",
      vendor: "Intel",
      name: "AlderLake-S GT1 [UHD Graphics 770]",
      board: "UHD Graphics 770",
      class: "0300",
      driver: "i915",
      mode: "shared",
      boot_vga: false,
      vram_mib: null,
      numa_node: null,
      functions: [function_("0000:00:02.0", "0300", "AlderLake-S GT1 [UHD Graphics 770]", "i915")],
      iommu_group: { id: 0, viable: true, blockers: [] },
      reset_methods: ["flr"],
      modes: {
        whole: yes,
        vgpu: { ...no("this generation has no GVT-g: it ended with the tenth"), regime: null, profiles: [] },
        vf: {
          ...no(
            "the i915 of this kernel (6.1.0-26-amd64) makes no virtual functions: that needs the i915-sriov-dkms module",
          ),
          total: 7,
          enabled: 0,
        },
        shared: { ...yes, render_node: "/dev/dri/renderD128" },
      },
      slots: 0,
      holders: [],
      strangers: [],
      only_profile: null,
      switching: null,
    },
    half("0000:06:00.0", 22, one && two ? [hold(one, [0, 1, 2, 3]), hold(two, [4, 5, 6, 7])] : []),
    half("0000:07:00.0", 23, [], [{ name: STRANGER, profile: "M60-4Q", slots: [0, 1, 2, 3, 4, 5, 6, 7] }]),
    {
      address: "0000:41:00.0",
      vendor_id: "10de",
      device_id: "1b80",
      vendor: "NVIDIA",
      name: "GP104 [GeForce GTX 1080]",
      board: "GeForce GTX 1080",
      class: "0300",
      driver: "nouveau",
      mode: "host",
      boot_vga: true,
      vram_mib: 8192,
      numa_node: 1,
      functions: [
        function_("0000:41:00.0", "0300", "GP104 [GeForce GTX 1080]", "nouveau"),
        function_("0000:41:00.1", "0403", "GP104 High Definition Audio Controller", "snd_hda_intel"),
      ],
      iommu_group: {
        id: 31,
        viable: false,
        blockers: [
          {
            address: "0000:42:00.0",
            driver: "nvme",
            name: "NVMe SSD Controller SM981",
            reason: "nvme holds it, and the group is given away together",
          },
        ],
      },
      reset_methods: ["bus"],
      modes: {
        whole: no("0000:42:00.0 (NVMe SSD Controller SM981) is in the same IOMMU group and nvme holds it"),
        vgpu: { ...no(IN_NO_OTHER), regime: null, profiles: [] },
        vf: { ...no("the card has no SR-IOV capability"), total: 0, enabled: 0 },
        shared: { ...yes, render_node: "/dev/dri/renderD129" },
      },
      slots: 0,
      holders: [],
      strangers: [],
      only_profile: null,
      switching: null,
    },
  ];
}

export function gpuFindings(gpu) {
  const [blocker] = gpu.iommu_group.blockers;
  const good = {
    id: "iommu",
    severity: "ok",
    subject: gpu.address,
    evidence: [{ path: `/sys/bus/pci/devices/${gpu.address}/iommu_group`, content: `${gpu.iommu_group.id}` }],
    reason: "the IOMMU is on and keeps the card apart",
    fix: "",
    source: "",
  };
  if (!blocker) return [good];
  return [
    {
      id: "dirty-group",
      severity: "error",
      subject: gpu.address,
      evidence: [
        {
          path: `/sys/kernel/iommu_groups/${gpu.iommu_group.id}/devices`,
          content: [...gpu.functions, blocker].map((one) => one.address).join("\n"),
        },
      ],
      reason: `the card shares IOMMU group ${gpu.iommu_group.id} with ${blocker.name} (${blocker.address}), which ${blocker.driver} holds`,
      fix: "put the card into another slot, one that the processor serves itself",
      source: "https://docs.kernel.org/driver-api/vfio.html",
    },
  ];
}

export function gpuPlan(gpu, { mode, profile = null, count = null, mixed = false, force = false }) {
  const base = {
    from: gpu.mode,
    to: mode,
    steps: [],
    stops: [],
    needs_reboot: false,
    needs_drain: false,
    refused: [],
  };
  if (gpu.holders.length > 0) {
    const names = gpu.holders.map((holder) => holder.desktop.name).join(", ");
    return {
      ...base,
      needs_drain: true,
      refused: [{ code: "in-use", reason: `${names} hold units of it: stop those desktops first` }],
    };
  }
  const can = gpu.modes[mode];
  if (can && !can.available) return { ...base, refused: [{ code: "unavailable", reason: can.reasons[0] }] };
  if (mixed) return { ...base, refused: [{ code: "no-mixed-size", reason: NOT_MIXED }] };
  if (mode === gpu.mode && !profile && !count) return base;
  if (gpu.boot_vga && mode === "whole" && !force)
    return { ...base, refused: [{ code: "boot-vga", reason: `${gpu.address} shows the host's console` }] };
  const at = `/sys/bus/pci/devices/${gpu.address}`;
  return {
    ...base,
    needs_drain: gpu.strangers.length > 0,
    stops: gpu.driver ? [`what the host draws or computes with ${gpu.driver} on this card`] : [],
    steps: [
      {
        does: `let only vfio-pci bind ${gpu.address}`,
        command: `echo vfio-pci > ${at}/driver_override`,
        undo: `echo > ${at}/driver_override`,
      },
      {
        does: `take ${gpu.address} from ${gpu.driver}`,
        command: `echo ${gpu.address} > ${at}/driver/unbind`,
        undo: `echo ${gpu.address} > /sys/bus/pci/drivers/${gpu.driver}/bind`,
      },
      {
        does: `bind ${gpu.address} to vfio-pci`,
        command: `echo ${gpu.address} > /sys/bus/pci/drivers_probe`,
        undo: `echo ${gpu.address} > /sys/bus/pci/drivers/vfio-pci/unbind`,
      },
    ],
  };
}
