/** One device: what its machine shows, its power, its drive, its switches, and what was done to it. */
import {
  Breadcrumb,
  BreadcrumbItem,
  Button,
  Card,
  CardBody,
  CardTitle,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  PageSection,
  Spinner,
} from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useId } from "react";
import type { Schemas } from "../../api/client";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ProblemAlert } from "../parts/ProblemState";
import { viewerHref, viewerTab } from "../parts/viewer";
import { deviceQuery, devicesQuery } from "../queries";
import { mayIn, type Permission } from "../roles";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { bytes } from "../words";
import { Drives, NextStart } from "./devices/Board";
import { consoleWords } from "./devices/board-words";
import { Events, OwnLog, useReadsAudit } from "./devices/Events";
import { Media } from "./devices/Media";
import { Ports } from "./devices/Ports";
import { PowerPanel } from "./devices/PowerPanel";
import { Screen } from "./devices/Screen";
import { Switches } from "./devices/Switches";
import { NotFound } from "./NotFound";

export function Device() {
  const name = useParams({ from: "/devices/$device" }).device;
  return (
    <Only to="desktops_operate" title={name}>
      <Inside name={name} />
    </Only>
  );
}

function Inside({ name }: { name: string }) {
  const devices = useQuery(devicesQuery);
  const machine = devices.data?.find((one) => one.name === name || one.id === name);
  if (devices.data && !machine) return <NotFound />;
  return machine ? <Of machine={machine} /> : <Loaded query={devices}>{() => null}</Loaded>;
}

function Of({ machine }: { machine: Schemas["DeviceTile"] }) {
  const me = useMe();
  const asked = useQuery(deviceQuery(machine.id));
  const readsAudit = useReadsAudit();
  const locked = (to: Permission) =>
    mayIn(me, to, machine.pool.id) ? "" : "Your role does not include this for its pool";
  const changes = locked("machines_write");
  const device = asked.data?.device;
  const screen = machine.kind === "pikvm";
  // A port of a Switch has buttons and lights of its own; the rest is its device's.
  const { port } = machine;
  const opens = ({ pikvm: "vnc", ipmi: "ssh", redfish: null } as const)[machine.kind];

  return (
    <>
      <Breadcrumb className="crumbs">
        <BreadcrumbItem>
          <Link to="/devices">Devices</Link>
        </BreadcrumbItem>
        <BreadcrumbItem isActive>{machine.name}</BreadcrumbItem>
      </Breadcrumb>
      <PageHead
        title={machine.name}
        about={`${
          port ? `Port ${port.port} of the Switch of ${port.device}, in front of` : ABOUT[machine.kind]
        } a machine of ${machine.pool.name}${machine.connections > 0 ? ", at which somebody is now" : ""}.`}
        actions={
          !locked("desktops_use") && (
            <>
              {opens && (
                <Button
                  variant="primary"
                  component="a"
                  href={viewerHref(machine.id, opens)}
                  target={viewerTab(machine.name, opens)}
                >
                  {screen ? "Open" : "Open its console"}
                </Button>
              )}
              {machine.inside && (
                <Button
                  variant={opens ? "secondary" : "primary"}
                  component="a"
                  href={viewerHref(machine.inside.id, machine.inside.kind)}
                  target={viewerTab(machine.inside.name, machine.inside.kind)}
                >
                  Open {machine.inside.name}
                </Button>
              )}
            </>
          )
        }
      />
      <PageSection isFilled>
        <ProblemAlert error={asked.error} />
        <div className="device-page">
          {screen && !port && (
            <Panel title="Picture" wide>
              <Screen machine={machine} locked={locked("desktops_use")} whole />
            </Panel>
          )}
          {asked.isPending && <Spinner aria-label="Asking the device" />}
          {device && (
            <>
              <Panel title="Power">
                <PowerPanel machine={machine} device={device} locked="" />
              </Panel>
              <Panel title="State">
                {device.board ? (
                  <BoardState device={device} board={device.board} />
                ) : port ? (
                  <PortState device={device} at={port} />
                ) : (
                  <State device={device} />
                )}
              </Panel>
              {device.board && machine.kind === "redfish" && (
                <Panel title="Drives" wide>
                  <Drives machine={machine} board={device.board} locked={changes} />
                </Panel>
              )}
              {device.board?.boot && (
                <Panel title="Next start">
                  <NextStart machine={machine} board={device.board} locked={changes} />
                </Panel>
              )}
              {device.storage?.enabled && (
                <Panel title="Drive" wide>
                  <Media
                    machine={machine}
                    storage={device.storage}
                    transfer={asked.data?.transfer ?? null}
                    locked={changes}
                  />
                </Panel>
              )}
              {device.switch && !port && (
                <Panel title="Ports" wide>
                  <Ports machine={machine} of={device.switch} locked={changes} />
                </Panel>
              )}
              {device.gpio.some((row) => row.length > 0) && (
                <Panel title="Switches">
                  <Switches machine={machine} table={device.gpio} locked={changes} />
                </Panel>
              )}
              {(readsAudit || (!changes && screen && !port)) && (
                <Panel title="What happened" wide>
                  <div className="stack">
                    {readsAudit && <Events machine={machine} />}
                    {!changes && screen && !port && <OwnLog machine={machine} />}
                  </div>
                </Panel>
              )}
            </>
          )}
        </div>
      </PageSection>
    </>
  );
}

const ABOUT = {
  pikvm: "The device in front of",
  redfish: "The BMC in",
  ipmi: "The BMC (IPMI) in",
} as const;

function Panel({ title, wide, children }: { title: string; wide?: boolean; children: ReactNode }) {
  const id = useId();
  return (
    <Card component="section" aria-labelledby={id} className={wide ? "wide" : ""}>
      <CardTitle component="h2" id={id}>
        {title}
      </CardTitle>
      <CardBody>{children}</CardBody>
    </Card>
  );
}

function State({ device }: { device: Schemas["Device"] }) {
  const { power, video, storage, leds, keyboard } = device;
  const lights = leds && (["caps", "num", "scroll"] as const).filter((light) => leds[light]);
  const unknown = "not known";
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["Power light", power ? (power.on ? "on" : "off") : unknown],
    ["Disk light", power ? (power.disk ? "on" : "off") : unknown],
    ["Signal", signal(video)],
    [
      "Keyboard",
      keyboard === null ? unknown : keyboard ? "taken by the machine" : "not taken by the machine",
    ],
    ["Locks", lights ? lights.join(", ") || "none" : unknown],
    ["Jiggler", device.jiggler === null ? unknown : device.jiggler ? "on" : "off"],
    ["Storage", storage?.enabled ? `${bytes(storage.free)} of ${bytes(storage.size)} free` : "none"],
    ["Calls itself", device.name ?? unknown],
    ["Firmware", `kvmd ${device.version ?? "of an unknown version"}`],
    ["Board", device.platform ?? unknown],
  ];
  return <Rows rows={rows} />;
}

function BoardState({ device, board }: { device: Schemas["Device"]; board: Schemas["DeviceBoard"] }) {
  const unknown = "not known";
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["Power", board.power_state ?? unknown],
    ["Health", board.health ?? unknown],
    ["Calls itself", device.name ?? unknown],
    ["Model", device.platform ?? unknown],
    ["BMC's firmware", device.version ?? unknown],
    // Over IPMI a BMC says none of these.
    ...(device.kind === "redfish" ? boardRows(board) : []),
  ];
  return <Rows rows={rows} />;
}

function boardRows(board: Schemas["DeviceBoard"]): ReadonlyArray<readonly [string, string]> {
  const unknown = "not known";
  return [
    ["Serial number", board.serial ?? unknown],
    ["Firmware", board.bios ?? unknown],
    ["System", board.system],
    [
      "Its own consoles",
      board.consoles.length > 0
        ? `${board.consoles.map(consoleWords).join("; ")}: on the BMC's own page`
        : "none",
    ],
  ];
}

function PortState({ device, at }: { device: Schemas["Device"]; at: Schemas["DevicePort"] }) {
  const here = device.switch?.ports[0];
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["Port", `${at.port} of ${at.device}${device.name ? `, called ${device.name} there` : ""}`],
    ["Power light", here ? (here.power.on ? "on" : "off") : "the Switch has no such port"],
    ["Disk light", here ? (here.power.disk ? "on" : "off") : "not known"],
    ["Signal", here?.video ? "there is a picture" : "none"],
    ["Keyboard", here?.usb ? "taken by the machine" : "not taken by the machine"],
    ["Active", here?.active ? "yes" : "no: opening it makes it active"],
  ];
  return <Rows rows={rows} />;
}

function Rows({ rows }: { rows: ReadonlyArray<readonly [string, string]> }) {
  return (
    <DescriptionList isHorizontal isCompact>
      {rows.map(([term, text]) => (
        <DescriptionListGroup key={term}>
          <DescriptionListTerm>{term}</DescriptionListTerm>
          <DescriptionListDescription>{text}</DescriptionListDescription>
        </DescriptionListGroup>
      ))}
    </DescriptionList>
  );
}

/** A streamer that nobody watches does not run, so that nobody knows. */
function signal(video: Schemas["DeviceVideo"] | null): string {
  if (!video?.running) return "not looked at";
  if (!video.signal) return "none";
  return `${video.width} × ${video.height}, ${video.frames_per_second} a second`;
}
