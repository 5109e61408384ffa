// What each role gives, as crates/model/src/permission.rs says it.
const READING = [
  "people_read",
  "images_read",
  "pools_read",
  "machines_read",
  "desktops_read",
  "operations_read",
  "sessions_read",
  "recordings_read",
  "gpus_read",
  "host_read",
  "audit_read",
];
const OF_POOLS = [
  "pools_read",
  "pools_write",
  "machines_read",
  "machines_write",
  "desktops_read",
  "desktops_operate",
  "desktops_write",
  "desktops_use",
  "sessions_read",
  "sessions_end",
  "sessions_shadow",
];

export const PERMISSIONS = {
  user: [],
  helpdesk: [
    "people_read",
    "pools_read",
    "desktops_read",
    "desktops_operate",
    "sessions_read",
    "sessions_end",
    "sessions_shadow",
  ],
  pool_admin: [...OF_POOLS, "people_read", "images_read", "gpus_read"],
  auditor: READING,
  admin: [
    ...new Set([
      ...READING,
      ...OF_POOLS,
      "people_write",
      "images_write",
      "pools_make",
      "operations_write",
      "recordings_typed",
      "recordings_write",
      "gpus_write",
      "clouds_write",
      "webhooks_write",
      "secrets_write",
    ]),
  ],
};
