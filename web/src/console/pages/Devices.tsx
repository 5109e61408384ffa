/** A wall of devices: what their machines show, about once a second, and whether they are on. */
import {
  Card,
  CardHeader,
  CardTitle,
  EmptyState,
  EmptyStateBody,
  Flex,
  Gallery,
  Label,
} from "@patternfly/react-core";
import ThIcon from "@patternfly/react-icons/dist/esm/icons/th-icon";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useDeferredValue, useState } from "react";
import type { Schemas } from "../../api/client";
import { sentence } from "../../api/problem";
import { Field } from "../parts/Field";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { devicesQuery } from "../queries";
import { mayIn } from "../roles";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { Screen } from "./devices/Screen";
import { fits } from "./devices/wall";

const WIDTHS = { default: "min(100%, 16rem)" };

export function Devices() {
  return (
    <Only to="desktops_operate" title="Devices">
      <Inside />
    </Only>
  );
}

function Inside() {
  const devices = useQuery(devicesQuery);
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text);
  return (
    <>
      <PageHead
        title="Devices"
        about="Machines behind a PiKVM or with a BMC. Each PiKVM is asked for one picture a second, however many look."
      />
      <Loaded query={devices}>
        {(list) => {
          if (list.length === 0) return <None />;
          const found = list.filter((device) => fits(device, wanted));
          return (
            <>
              <div className="wall-search">
                <Field
                  label="Find"
                  value={text}
                  onChange={setText}
                  placeholder="rack off"
                  help="Words of its name and pool; on, off, signal, dark, used and trouble."
                />
              </div>
              <p className="pf-v6-screen-reader" aria-live="polite">
                {`${found.length} of ${list.length} devices`}
              </p>
              {found.length === 0 && <p className="about">No device fits.</p>}
              <Gallery hasGutter minWidths={WIDTHS} component="ul" aria-label="Devices">
                {found.map((device) => (
                  <li key={device.id}>
                    <Tile device={device} />
                  </li>
                ))}
              </Gallery>
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function None() {
  return (
    <EmptyState icon={ThIcon} titleText="No devices yet" headingLevel="h2">
      <EmptyStateBody>
        Enter a PiKVM or a BMC (Redfish, IPMI) as a machine of a pool of external machines: its power and
        drive are here then, and a PiKVM's picture.
      </EmptyStateBody>
    </EmptyState>
  );
}

/** What is where a picture would be. */
const BMCS = {
  redfish: "A BMC: power and drives, no picture",
  ipmi: "BMC (IPMI): power and a serial console, no picture",
} as const;

function Tile({ device }: { device: Schemas["DeviceTile"] }) {
  const me = useMe();
  const locked =
    device.kind !== "pikvm"
      ? BMCS[device.kind]
      : device.port
        ? `Port ${device.port.port} of ${device.port.device}: open it to see it`
        : mayIn(me, "desktops_use", device.pool.id)
          ? ""
          : "Your role does not include looking at it";
  const { power, video, failure } = device;
  const id = `device-${device.id}`;
  return (
    <Card component="article" aria-labelledby={id} className="desktop">
      {/* A picture to click; the name below says the same to keyboards and screen readers. */}
      <Link
        to="/devices/$device"
        params={{ device: device.name }}
        className="thumbnail-link"
        tabIndex={-1}
        aria-hidden="true"
      >
        <Screen machine={device} locked={locked} />
      </Link>
      <CardHeader>
        <CardTitle component="h2" id={id}>
          <Link to="/devices/$device" params={{ device: device.name }}>
            {device.name}
          </Link>
        </CardTitle>
        <Flex columnGap={{ default: "columnGapSm" }} rowGap={{ default: "rowGapXs" }}>
          <Label isCompact color={power?.on ? "green" : "grey"}>
            {power ? (power.on ? "on" : "off") : "power not known"}
          </Label>
          {video?.running && (
            <Label isCompact color={video.signal ? "green" : "orange"}>
              {video.signal ? `${video.width} × ${video.height}` : "no signal"}
            </Label>
          )}
          {device.connections > 0 && (
            <Label isCompact color="blue">
              in use
            </Label>
          )}
        </Flex>
        <p className="about wrap">{failure ? sentence(failure) : device.pool.name}</p>
      </CardHeader>
    </Card>
  );
}
