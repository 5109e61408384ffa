/** Makes a pool, or changes what its next desktops will be. */
import { Grid, GridItem } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { cloudsQuery, gpusQuery, imagesQuery } from "../../queries";
import { may } from "../../roles";
import { useMe } from "../../shell/me";
import { KEYBOARDS, nameFault, RECORDING_POLICIES } from "../../words";
import { GpuChoice } from "./GpuChoice";
import { faultOf, type GpuDraft, draftOf as gpuDraftOf, NO_GPU, requestOf } from "./gpu-request";
import { Hours } from "./Hours";
import * as hours from "./hours";
import { fitting, type Hardware, Machine, USUAL } from "./Machine";
import { Place } from "./Place";
import * as place from "./place";
import * as rules from "./Rules";
import * as spares from "./Spares";

interface Draft {
  name: string;
  image: string;
  vcpus: string;
  memory: string;
  disk: string;
  /** Of a disk of each person's own, in GiB; empty for none. */
  home: string;
  most: string;
  keyboard: string;
  network: Schemas["Network"]["kind"];
  networkName: string;
  place: place.PlaceDraft;
  gpu: GpuDraft;
  hardware: Hardware;
  recording: Schemas["RecordingPolicy"];
  policy: rules.RulesDraft;
  size: spares.SizeDraft;
  hours: hours.HoursDraft;
  /** Of a pool on a cloud that is there already. */
  flavor: string;
}

const FRESH: Draft = {
  name: "",
  image: "",
  vcpus: "2",
  memory: "2048",
  disk: "20",
  home: "",
  most: "10",
  keyboard: "us",
  network: "user",
  networkName: "",
  place: place.HERE,
  gpu: NO_GPU,
  hardware: USUAL,
  recording: "off",
  policy: rules.draftOf(rules.USUAL_RULES),
  size: spares.FRESH_SIZE,
  hours: hours.NO_HOURS,
  flavor: "",
};

function draftOf(pool: Schemas["Pool"]): Draft {
  return {
    ...FRESH,
    name: pool.name,
    image: pool.image?.id ?? "",
    vcpus: String(pool.vcpus),
    memory: String(pool.memory_mib),
    disk: String(pool.disk_gib),
    home: pool.personal_disk ? String(pool.personal_disk.size_gib) : "",
    most: String(pool.desktops_max),
    keyboard: pool.keyboard,
    network: pool.network.kind,
    gpu: gpuDraftOf(pool.gpu),
    hardware: { ...USUAL, ...pool.hardware },
    recording: pool.recording,
    policy: rules.draftOf(pool.policy),
    size: spares.draftOf(pool),
    hours: hours.draftOf(pool.hours, pool.leaving),
    flavor: pool.cloud?.flavor ?? "",
  };
}

/** What is said of it: nothing where nothing changes. */
function homeOf(draft: Draft, pool?: Schemas["Pool"]): { personal_disk?: Schemas["PoolDisk"] } {
  const before = pool?.personal_disk;
  const size_gib = Number(draft.home || 0);
  if ((before?.size_gib ?? 0) === size_gib) return {};
  return { personal_disk: { name: before?.name ?? "home", size_gib } };
}

const whole = (text: string) =>
  /^\d{1,7}$/.test(text) && Number(text) > 0 ? "" : "A whole number, 1 or more";

function networkOf(draft: Draft): Schemas["Network"] {
  if (draft.network === "nat") return { kind: "nat", network: draft.networkName.trim() };
  if (draft.network === "bridge") return { kind: "bridge", bridge: draft.networkName.trim() };
  return { kind: "user" };
}

export function PoolForm({ pool, onClose }: { pool?: Schemas["Pool"]; onClose: () => void }) {
  const images = useQuery(imagesQuery);
  const gpus = useQuery(gpusQuery);
  const me = useMe();
  const clouds = useQuery({ ...cloudsQuery, enabled: !pool && may(me, "host_read") });
  const [draft, setDraft] = useState<Draft>(() => (pool ? draftOf(pool) : FRESH));
  const set = (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part }));
  const usable = (images.data ?? [])
    .filter((i) => i.state === "ready" || i.id === draft.image)
    .sort((a, b) => a.name.localeCompare(b.name) || b.version - a.version);
  const image = draft.image || usable[0]?.id || "";
  const onCloud = pool ? pool.cloud !== null : draft.place.cloud !== "";

  const save = useAct({
    do: async () => {
      // On a cloud the flavor says what a desktop is made of.
      const made = onCloud
        ? {}
        : {
            vcpus: Number(draft.vcpus),
            memory_mib: Number(draft.memory),
            disk_gib: Number(draft.disk),
            hardware: fitting(draft.hardware, draft.gpu.kind),
            gpu: requestOf(draft.gpu),
            ...homeOf(draft, pool),
          };
      const size = {
        image,
        ...made,
        desktops_max: Number(draft.most),
        keyboard: draft.keyboard,
        recording: draft.recording,
        policy: rules.policyOf(draft.policy),
        size: spares.sizeOf(draft.size),
        hours: hours.hoursOf(draft.hours),
        leaving: hours.leavingOf(draft.hours),
      };
      if (pool) {
        const flavor = draft.flavor.trim();
        const more = pool.cloud && flavor !== pool.cloud.flavor ? { flavor } : {};
        return answer(
          client.PATCH("/api/v1/pools/{id}", {
            params: { path: { id: pool.id } },
            body: { ...size, ...more },
          }),
        );
      }
      return answer(
        client.POST("/api/v1/pools", {
          body: {
            ...size,
            name: draft.name,
            kind: draft.size.kind,
            ...(onCloud ? { cloud: place.placeOf(draft.place) } : { network: networkOf(draft) }),
          },
        }),
      );
    },
    touches: ["pools"],
    good: (made) => (pool ? `The pool ${made.name} was changed` : `The pool ${made.name} was made`),
    after: onClose,
  });

  const faults = (
    onCloud
      ? ["1", "1", "1", draft.most, "1"]
      : [draft.vcpus, draft.memory, draft.disk, draft.most, draft.home || "1"]
  ).map(whole);
  const hoursFault = hours.faultOf(draft.hours, draft.most);
  const reason =
    (pool ? "" : nameFault(draft.name) || (draft.name ? "" : "Give it a name")) ||
    (image ? "" : "Choose an image") ||
    place.faultOf(draft.place) ||
    (draft.network !== "user" && !pool && !onCloud && !draft.networkName.trim() ? "Name the network" : "") ||
    (pool?.cloud && !draft.flavor.trim() ? "Say a flavor" : "") ||
    (faults.some(Boolean) ? "A size is not a whole number" : "") ||
    spares.faultOf(draft.size, draft.most) ||
    hoursFault ||
    (onCloud ? "" : faultOf(draft.gpu)) ||
    rules.faultOf(draft.policy);
  const keyboards = KEYBOARDS.some(([value]) => value === draft.keyboard)
    ? KEYBOARDS
    : [...KEYBOARDS, [draft.keyboard, draft.keyboard] as const];

  return (
    <FormModal
      title={pool ? `Edit ${pool.name}` : "New pool"}
      about={
        pool && pool.desktops > 0
          ? "Desktops that exist keep their image and disk; the rest holds from their next start."
          : undefined
      }
      variant="medium"
      verb={pool ? "Save" : "Make pool"}
      reason={reason}
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={onClose}
    >
      {!pool && (
        <Field
          label="Name"
          value={draft.name}
          onChange={(name) => set({ name })}
          fault={nameFault(draft.name)}
          help="Desktops are named after it"
          placeholder="studio"
          required
          autoFocus
        />
      )}
      <Choice
        label="Image"
        value={image}
        onChange={(value) => set({ image: value })}
        options={usable.map((i) => [i.id, `${i.name}, version ${i.version}`] as const)}
        required
      />
      {!pool && (
        <Place
          value={draft.place}
          onChange={(value) => set({ place: value })}
          clouds={clouds.data ?? []}
          image={image}
        />
      )}
      {pool?.cloud && (
        <Field
          label="Flavor"
          value={draft.flavor}
          onChange={(flavor) => set({ flavor })}
          help="By its name or id. Desktops that exist get it when an admin resizes them, or when they are made anew"
          required
        />
      )}
      <Grid hasGutter sm={6}>
        {!onCloud && (
          <>
            <GridItem>
              <Field
                label="CPUs"
                type="number"
                min={1}
                value={draft.vcpus}
                onChange={(vcpus) => set({ vcpus })}
                fault={faults[0]}
              />
            </GridItem>
            <GridItem>
              <Field
                label="Memory, in MiB"
                type="number"
                min={256}
                value={draft.memory}
                onChange={(value) => set({ memory: value })}
                fault={faults[1]}
              />
            </GridItem>
            <GridItem>
              <Field
                label="Disk, in GiB"
                type="number"
                min={1}
                value={draft.disk}
                onChange={(disk) => set({ disk })}
                fault={faults[2]}
                help="Only what is written takes space"
              />
            </GridItem>
            <GridItem>
              <Field
                label="Personal disk, in GiB"
                type="number"
                min={1}
                value={draft.home}
                onChange={(home) => set({ home })}
                fault={faults[4]}
                help="A home of each person's own that follows them; empty for none"
              />
            </GridItem>
          </>
        )}
        <GridItem>
          <Field
            label="Most desktops"
            type="number"
            min={1}
            value={draft.most}
            onChange={(most) => set({ most })}
            fault={faults[3]}
          />
        </GridItem>
      </Grid>
      <spares.Spares value={draft.size} onChange={(size) => set({ size })} fixed={pool !== undefined} />
      <Hours
        value={draft.hours}
        onChange={(value) => set({ hours: value })}
        size={draft.size}
        fault={hoursFault}
      />
      {!onCloud && (
        <>
          <GpuChoice value={draft.gpu} onChange={(gpu) => set({ gpu })} gpus={gpus.data ?? []} />
          <Machine value={draft.hardware} onChange={(hardware) => set({ hardware })} gpu={draft.gpu.kind} />
        </>
      )}
      <Choice
        label="Keyboard"
        value={draft.keyboard}
        onChange={(keyboard) => set({ keyboard })}
        options={keyboards}
        help="The layout inside the desktops"
      />
      <Choice
        label="Recording"
        value={draft.recording}
        onChange={(recording) => set({ recording: recording as Draft["recording"] })}
        options={RECORDING_POLICIES}
        help="What is seen on connections is kept, encrypted, for admins; holds for connections from now on"
      />
      <rules.Rules value={draft.policy} onChange={(policy) => set({ policy })} />
      {!pool && !onCloud && (
        <Choice
          label="Network"
          value={draft.network}
          onChange={(value) => set({ network: value as Draft["network"] })}
          options={[
            ["user", "Isolated: each desktop alone, out to the world only"],
            ["nat", "NAT: a libvirt network; desktops see each other"],
            ["bridge", "Bridge: straight on the host's network"],
          ]}
        />
      )}
      {!pool && !onCloud && draft.network !== "user" && (
        <Field
          label={draft.network === "nat" ? "Libvirt network" : "Bridge of the host"}
          value={draft.networkName}
          onChange={(networkName) => set({ networkName })}
          placeholder={draft.network === "nat" ? "default" : "br0"}
          required
        />
      )}
    </FormModal>
  );
}
