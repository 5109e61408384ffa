import {
  Alert,
  Button,
  Card,
  CardBody,
  CardFooter,
  CardHeader,
  CardTitle,
  Flex,
  Label,
  Popover,
} from "@patternfly/react-core";
import TachometerAltIcon from "@patternfly/react-icons/dist/esm/icons/tachometer-alt-icon";
import type { Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { isStarting, whyNot } from "../../can";
import { ReasonButton } from "../../parts/ReasonButton";
import { Thumbnail } from "../../parts/Thumbnail";
import { viewerHref, viewerTab } from "../../parts/viewer";
import { count, desktopState, memory } from "../../words";
import { DesktopMenu } from "./DesktopMenu";
import { Steps } from "./Steps";

interface Props {
  desktop: Schemas["Desktop"];
  me: Schemas["Me"];
}

export function DesktopCard({ desktop, me }: Props) {
  const state = desktopState(desktop.state);
  const admin = me.role === "admin";
  const others = desktop.owner?.id !== me.id;
  const cannotOpen = whyNot.open(desktop);

  return (
    <Card className="desktop" component="article" aria-labelledby={`d-${desktop.id}`}>
      {cannotOpen ? (
        <Thumbnail desktop={desktop} />
      ) : (
        // A picture to click; the Open button below says the same to keyboards and screen readers.
        <a
          href={viewerHref(desktop.id, "rdp")}
          target={viewerTab(desktop.name, "rdp")}
          className="thumbnail-link"
          tabIndex={-1}
          aria-label={`Screen of ${desktop.name}: open it`}
        >
          <Thumbnail desktop={desktop} />
        </a>
      )}
      <CardHeader
        actions={{
          actions: <DesktopMenu desktop={desktop} admin={admin} />,
          hasNoOffset: true,
        }}
      >
        <Flex columnGap={{ default: "columnGapSm" }} rowGap={{ default: "rowGapXs" }}>
          <CardTitle component="h2" id={`d-${desktop.id}`}>
            {desktop.name}
          </CardTitle>
          <Label color={state.tone} isCompact>
            {state.text}
          </Label>
        </Flex>
        <p className="about">
          {desktop.pool.name} · {count(desktop.facts.vcpus, "CPU")} · {memory(desktop.facts.memory_mib)}
          {others && <> · {desktop.owner ? `for ${desktop.owner.name}` : "not assigned"}</>}
        </p>
      </CardHeader>
      <CardBody>
        {desktop.state === "failed" && (
          <Alert variant="danger" isInline title="It could not be started" component="h3">
            {sentence(desktop.failure ?? "no reason was recorded: see the operations log")}
          </Alert>
        )}
        {isStarting(desktop) && <Steps steps={desktop.start_steps} />}
        <Speed desktop={desktop} />
      </CardBody>
      <CardFooter>
        <div className="doors">
          <Opens desktop={desktop} kind="rdp" reason={cannotOpen} />
          <Opens desktop={desktop} kind="vnc" reason={whyNot.console(desktop)} />
          <Opens desktop={desktop} kind="ssh" reason={whyNot.shell(desktop)} />
        </div>
      </CardFooter>
    </Card>
  );
}

const WORDS = {
  rdp: { verb: "Open", more: "its desktop" },
  vnc: { verb: "Console", more: "the machine's own screen" },
  ssh: { verb: "Shell", more: "a terminal" },
};

function Opens({
  desktop,
  kind,
  reason,
}: {
  desktop: Schemas["Desktop"];
  kind: Schemas["ConnectKind"];
  reason: string;
}) {
  if (!desktop.kinds.includes(kind)) return null;
  const primary = kind === "rdp";
  const verb = primary && desktop.state === "stopped" ? "Start and open" : WORDS[kind].verb;
  return (
    <ReasonButton
      variant={primary ? "primary" : "secondary"}
      reason={reason}
      component="a"
      href={viewerHref(desktop.id, kind)}
      target={viewerTab(desktop.name, kind)}
      aria-label={`${verb} ${desktop.name}: ${WORDS[kind].more}, in a tab of its own`}
    >
      {verb}
    </ReasonButton>
  );
}

function Speed({ desktop }: { desktop: Schemas["Desktop"] }) {
  if (desktop.facts.accelerator !== "tcg") return null;
  return (
    <Popover
      headerContent="Software emulation"
      bodyContent={`This desktop runs without hardware virtualisation, so it is slower. ${sentence(desktop.facts.accelerator_reason ?? "")}`}
    >
      <Button variant="plain" className="speed" icon={<TachometerAltIcon />} size="sm">
        Runs slower: software emulation
      </Button>
    </Popover>
  );
}
