/** The device in front of a machine: what it shows, its power, its drive and its own table of switches. */
import { Button, Flex, FlexItem, Label, Spinner } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import type { paths } from "../../../api/schema";
import { useAct } from "../../act";
import { Confirm } from "../../parts/Confirm";
import { Dialogue } from "../../parts/Dialogue";
import { Choice } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";

type Device = Schemas["Device"];
type Turn = { channel: string; on: boolean | null };
/** What somebody is asked about first. */
type Sure = { verb: string; loses: string; do: () => Promise<unknown> };
type Action = paths["/api/v1/machines/{id}/device/power/{action}"]["post"]["parameters"]["path"]["action"];

/** How often it is asked while the dialogue is open, in milliseconds: each time it is signed in to. */
const ASK_MS = 4000;
const PICTURE_MS = 5000;
/** In pixels: its buttons are seen without scrolling. */
const PICTURE_WIDTH = 400;

interface Press {
  action: Action;
  text: string;
  /** What it does to whoever is at the machine: asked about first. */
  loses?: string;
  /** The power light must be on for it. */
  needs: boolean;
}

const POWER: ReadonlyArray<Press> = [
  { action: "on", text: "Power on", needs: false },
  {
    action: "off",
    text: "Shut down",
    loses: "Its system is told by a short press of the power button, and ends what runs there.",
    needs: true,
  },
  {
    action: "off_hard",
    text: "Cut power",
    loses:
      "The power button is held until power is cut: what is not saved is lost, and its file systems may be damaged.",
    needs: true,
  },
  {
    action: "reset_hard",
    text: "Reset",
    loses: "The reset button is pressed: what is not saved is lost, and its file systems may be damaged.",
    needs: true,
  },
];

export function DeviceDialogue({ machine, onClose }: { machine: Schemas["Machine"]; onClose: () => void }) {
  const params = { path: { id: machine.id } };
  const asked = useQuery({
    queryKey: ["machines", "device", machine.id],
    queryFn: () => answer(client.GET("/api/v1/machines/{id}/device", { params })),
    refetchInterval: ASK_MS,
    gcTime: 0,
    retry: false,
  });
  const power = useAct({
    do: (action: Action) =>
      answer(
        client.POST("/api/v1/machines/{id}/device/power/{action}", {
          params: { path: { id: machine.id, action } },
        }),
      ),
    touches: ["machines"],
    good: () => `The button of ${machine.name} was pressed: its light shows what comes of it`,
  });
  const turn = useAct({
    do: ({ channel, on }: Turn) =>
      answer(
        client.POST("/api/v1/machines/{id}/device/switches/{channel}", {
          params: { path: { id: machine.id, channel } },
          body: { on },
        }),
      ),
    touches: ["machines"],
    good: () => "The switch was moved",
  });
  const drive = useAct({
    do: (body: Schemas["DeviceDriveChange"]) =>
      answer(client.POST("/api/v1/machines/{id}/device/drive", { params, body })),
    touches: ["machines"],
    good: (device) => (device.storage?.connected ? "The machine sees the drive" : "The drive is empty"),
  });
  const [sure, setSure] = useState<Sure | null>(null);
  const device = asked.data;

  if (sure) {
    return (
      <Confirm
        title={`${sure.verb}: ${machine.name}?`}
        verb={sure.verb}
        do={sure.do}
        touches={["machines"]}
        onClose={() => setSure(null)}
      >
        {sure.loses}
      </Confirm>
    );
  }
  return (
    <Dialogue
      title={`The device in front of ${machine.name}`}
      about={device ? `kvmd ${device.version ?? "of an unknown version"}` : undefined}
      variant="medium"
      stack
      onClose={onClose}
      buttons={
        <Button variant="primary" onClick={onClose}>
          Close
        </Button>
      }
    >
      {asked.isPending && <Spinner aria-label="Asking the device" />}
      <ProblemAlert error={asked.error ?? power.error ?? turn.error ?? drive.error} />
      {device && (
        <>
          <Picture id={machine.id} name={machine.name} />
          <Power
            device={device}
            busy={power.isPending}
            act={({ action, text, loses }) => {
              if (!loses) power.mutate(action);
              else setSure({ verb: text, loses, do: () => power.mutateAsync(action) });
            }}
          />
          {device.storage?.enabled && (
            <Drive
              storage={device.storage}
              busy={drive.isPending}
              change={(change) => drive.mutate(change)}
            />
          )}
          <Switches
            table={device.gpio}
            busy={turn.isPending}
            change={(change, text, asks) => {
              if (!asks) turn.mutate(change);
              else
                setSure({
                  verb: text,
                  loses: "The device's own page asks before this switch is moved.",
                  do: () => turn.mutateAsync(change),
                });
            }}
          />
        </>
      )}
    </Dialogue>
  );
}

/** A still picture every few seconds: whoever wants more opens the machine. */
function Picture({ id, name }: { id: string; name: string }) {
  const [turn, setTurn] = useState(0);
  const [missing, setMissing] = useState(false);
  useEffect(() => {
    const timer = setInterval(() => setTurn((before) => before + 1), PICTURE_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      <img
        src={`/api/v1/machines/${encodeURIComponent(id)}/device/picture?turn=${turn}`}
        alt={`What ${name} shows`}
        hidden={missing}
        width={PICTURE_WIDTH}
        onLoad={() => setMissing(false)}
        onError={() => setMissing(true)}
      />
      {missing && <p className="about">No picture: the machine is off, or its cable is not in.</p>}
    </>
  );
}

function Power({ device, busy, act }: { device: Device; busy: boolean; act: (press: Press) => void }) {
  const lights = device.power;
  if (!lights) return <p className="about">The device shows no power light.</p>;
  const why = (needs: boolean) => {
    if (!lights.enabled) return "The device is not wired to the machine's buttons";
    if (lights.busy) return "A button is being pressed";
    if (lights.on !== needs) return needs ? "It is off" : "It is on";
    return "";
  };
  return (
    <Flex>
      <FlexItem>
        <Label color={lights.on ? "green" : "grey"}>{lights.on ? "Power on" : "Power off"}</Label>
      </FlexItem>
      {POWER.map((press) => (
        <FlexItem key={press.action}>
          <ReasonButton
            variant="secondary"
            isDanger={press.action === "off_hard" || press.action === "reset_hard"}
            reason={why(press.needs)}
            isDisabled={busy}
            onClick={() => act(press)}
          >
            {press.text}
          </ReasonButton>
        </FlexItem>
      ))}
    </Flex>
  );
}

function Drive({
  storage,
  busy,
  change,
}: {
  storage: Schemas["DeviceStorage"];
  busy: boolean;
  change: (to: Schemas["DeviceDriveChange"]) => void;
}) {
  const [image, setImage] = useState(storage.image ?? "");
  const images = storage.images.filter((one) => one.complete).map((one) => [one.name, one.name] as const);
  return (
    <>
      <Choice
        label="In its drive"
        value={image}
        onChange={setImage}
        options={[["", "Nothing"], ...images]}
        help={
          storage.image
            ? `Now ${storage.image}, ${storage.connected ? "which the machine sees" : "not connected"}`
            : "Now empty"
        }
      />
      <Flex>
        <Button
          variant="secondary"
          isDisabled={busy || !image}
          onClick={() => change({ image, cdrom: true, writable: false, connected: true })}
        >
          Insert as a CD
        </Button>
        <Button
          variant="secondary"
          isDisabled={busy || !image}
          onClick={() => change({ image, cdrom: false, writable: false, connected: true })}
        >
          Insert as a stick
        </Button>
        <Button
          variant="secondary"
          isDisabled={busy || !storage.image}
          onClick={() => change({ image: null, cdrom: true, writable: false, connected: false })}
        >
          Eject
        </Button>
      </Flex>
    </>
  );
}

/** As the device's own page has them. */
function Switches({
  table,
  busy,
  change,
}: {
  table: Device["gpio"];
  busy: boolean;
  change: (to: Turn, text: string, asks: boolean) => void;
}) {
  const rows = table.map((row, at) => ({ row, key: `row ${at}` })).filter(({ row }) => row.length > 0);
  return rows.map(({ row, key }) => (
    <Flex key={key}>
      {row.map((item) => {
        if (item.kind === "label") return <FlexItem key={item.text}>{item.text}</FlexItem>;
        const { channel } = item;
        if (item.kind === "input") {
          return (
            <FlexItem key={channel.name}>
              <Label color={channel.on ? "green" : "grey"}>{channel.on ? "on" : "off"}</Label>
            </FlexItem>
          );
        }
        const turn = `${item.text}: turn ${channel.on ? "off" : "on"}`;
        const press = `${item.text}: press`;
        const reason = channel.online
          ? channel.busy
            ? "It is being moved"
            : ""
          : "Its driver does not answer";
        return (
          <FlexItem key={channel.name}>
            {channel.switches && (
              <ReasonButton
                variant="secondary"
                reason={reason}
                isDisabled={busy}
                onClick={() => change({ channel: channel.name, on: !channel.on }, turn, item.confirm)}
              >
                {turn}
              </ReasonButton>
            )}{" "}
            {channel.pulses && (
              <ReasonButton
                variant="secondary"
                reason={reason}
                isDisabled={busy}
                onClick={() => change({ channel: channel.name, on: null }, press, item.confirm)}
              >
                {press}
              </ReasonButton>
            )}
          </FlexItem>
        );
      })}
    </Flex>
  ));
}
