"""A driver of Cinder for a machine without a store: a volume is a file, and so is a snapshot.

Cinder's own drivers want a kernel with NFS, device mapper or iSCSI, or a Ceph; lab/openstack/README.md says how far each went.
Everything else is Cinder's: API, scheduler, manager, database, images, attachments. Nova opens the file by the shortest of its ways
that leads to one (`gpfs`: libvirt's `type='file'`), as it would open one of a cluster's file system."""

import os
import subprocess

from oslo_config import cfg
from oslo_utils import units

from cinder import exception
from cinder.image import image_utils
from cinder.volume import configuration, driver

options = [
    cfg.StrOpt("oriel_lab_folder", help="Where the files are; QEMU's user must be able to enter it."),
    cfg.BoolOpt("oriel_lab_snapshots", default=True, help="Whether this store can make snapshots."),
]
cfg.CONF.register_opts(options, group=configuration.SHARED_CONF_GROUP)


class Files(driver.VolumeDriver):
    VERSION = "1"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(options)

    def check_for_setup_error(self):
        if not os.path.isdir(self.configuration.oriel_lab_folder or ""):
            raise exception.VolumeBackendAPIException(data=f"{self.configuration.oriel_lab_folder} is no folder")

    def local_path(self, volume):
        return os.path.join(self.configuration.oriel_lab_folder, volume["name"])

    def _copy(self, source, target, gib):
        # Blocks are shared where the file system can, and holes stay holes.
        subprocess.check_call(["cp", "--reflink=auto", "--sparse=always", source, target])
        os.truncate(target, gib * units.Gi)

    def create_volume(self, volume):
        with open(self.local_path(volume), "wb") as file:
            file.truncate(volume["size"] * units.Gi)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._copy(self.local_path(snapshot), self.local_path(volume), volume["size"])

    def create_cloned_volume(self, volume, src_vref):
        self._copy(self.local_path(src_vref), self.local_path(volume), volume["size"])

    def delete_volume(self, volume):
        if os.path.exists(self.local_path(volume)):
            os.remove(self.local_path(volume))

    def create_snapshot(self, snapshot):
        if not self.configuration.oriel_lab_snapshots:
            raise exception.VolumeBackendAPIException(data="this store makes no snapshots")
        self._copy(self.local_path(snapshot["volume"]), self.local_path(snapshot), snapshot["volume_size"])

    def delete_snapshot(self, snapshot):
        self.delete_volume(snapshot)

    def extend_volume(self, volume, new_size):
        os.truncate(self.local_path(volume), new_size * units.Gi)

    def copy_image_to_volume(self, context, volume, image_service, image_id):
        path, gib = self.local_path(volume), volume["size"]
        image_utils.fetch_to_raw(context, image_service, image_id, path, self.configuration.volume_dd_blocksize, size=gib)
        # The file is the image's now, as large as that.
        os.truncate(path, gib * units.Gi)

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector):
        return {"driver_volume_type": "gpfs", "data": {"name": volume["name"], "device_path": self.local_path(volume)}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass

    def _update_volume_stats(self):
        there = os.statvfs(self.configuration.oriel_lab_folder)
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "Oriel",
            "driver_version": self.VERSION,
            "storage_protocol": "file",
            "total_capacity_gb": there.f_blocks * there.f_frsize // units.Gi,
            "free_capacity_gb": there.f_bavail * there.f_frsize // units.Gi,
            # Files are sparse: what is promised is not what is taken.
            "thin_provisioning_support": True,
            "max_over_subscription_ratio": 100.0,
            "provisioned_capacity_gb": 0,
            "reserved_percentage": 0,
        }
