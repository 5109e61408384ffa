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
import { mayIn } from "../../roles";
import { count, desktopState, MACHINE_PROTOCOLS, memory } from "../../words";
import { DesktopMenu } from "./DesktopMenu";
import { Steps } from "./Steps";

interface Props {
  desktop: Schemas["Desktop"];
  me: Schemas["Me"];
  /** What a device's machine can be opened as, where this person has it. */
  inside?: Schemas["Desktop"] | undefined;
}

export function DesktopCard({ desktop, me, inside }: Props) {
  const state = desktopState(desktop.state);
  const others = desktop.owner?.id !== me.id;
  // Of a shared machine they have a session, and not its power.
  const shares = desktop.shared === true;
  const theirs = !others || shares || (desktop.external && !desktop.owner);
  const notTheirs =
    theirs || mayIn(me, "desktops_use", desktop.pool.id)
      ? ""
      : "It is another person's: look on from Sessions, with their consent";
  const cannotOpen = notTheirs || whyNot.open(desktop);
  const operates = (theirs && !shares) || mayIn(me, "desktops_operate", desktop.pool.id);
  const admin = mayIn(me, "desktops_write", desktop.pool.id);
  // An external machine has one door, its protocol's.
  const main = desktop.external ? (desktop.kinds[0] ?? "rdp") : "rdp";

  return (
    <Card className="desktop" component="article" aria-labelledby={`d-${desktop.id}`}>
      {cannotOpen ? (
        <Thumbnail desktop={desktop} />
      ) : (
        // A picture to click; the Open button below says the same to keyboards and screen readers.
        <a
          href={viewerHref(desktop.id, main)}
          target={viewerTab(desktop.name, main)}
          className="thumbnail-link"
          tabIndex={-1}
          aria-label={`Screen of ${desktop.name}: open it`}
        >
          <Thumbnail desktop={desktop} />
        </a>
      )}
      <CardHeader
        actions={{
          // An external machine has no power; only admins can do anything with it.
          actions:
            (desktop.external || !operates) && !admin ? undefined : (
              <DesktopMenu desktop={desktop} admin={admin} />
            ),
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
          {desktop.pool.name} ·{" "}
          {desktop.external
            ? `external, ${MACHINE_PROTOCOLS[desktop.external].text}`
            : `${count(desktop.facts.vcpus, "CPU")} · ${memory(desktop.facts.memory_mib)}`}
          {shares && <> · shared{desktop.draining ? ", takes nobody new" : ""}</>}
          {others && !shares && !(desktop.external && !desktop.owner) && (
            <> · {desktop.owner ? `for ${desktop.owner.name}` : "not assigned"}</>
          )}
        </p>
      </CardHeader>
      <CardBody>
        {desktop.state === "failed" && (
          <Alert variant="danger" isInline title="It could not be started" component="h3">
            {sentence(desktop.failure ?? "no reason was recorded: see the operations log")}
          </Alert>
        )}
        {desktop.state === "unreachable" && (
          <Alert variant="warning" isInline title="It did not answer" component="h3">
            {sentence(desktop.failure ?? "it was not looked at yet")}
          </Alert>
        )}
        {desktop.maintenance && <Alert variant="info" isInline title={desktop.maintenance} component="h3" />}
        {desktop.sign_on_problem && (
          <Alert variant="warning" isInline title="You cannot be signed in" component="h3">
            {sentence(desktop.sign_on_problem)}
          </Alert>
        )}
        {desktop.external && desktop.kinds.length === 0 && <p className="about">{cannotOpen}.</p>}
        {isStarting(desktop) && <Steps steps={desktop.start_steps} why={desktop.failure} />}
        <Speed desktop={desktop} />
      </CardBody>
      <CardFooter>
        <div className="doors">
          <Opens desktop={desktop} kind="rdp" main={main} reason={cannotOpen} />
          <Opens desktop={desktop} kind="vnc" main={main} reason={notTheirs || whyNot.console(desktop)} />
          <Opens desktop={desktop} kind="ssh" main={main} reason={notTheirs || whyNot.shell(desktop)} />
          {inside?.kinds.map((kind) => (
            <Opens
              key={kind}
              desktop={inside}
              kind={kind}
              main={desktop.kinds.length === 0 ? kind : null}
              reason={whyNot.open(inside)}
              named
            />
          ))}
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
  main,
  reason,
  named,
}: {
  desktop: Schemas["Desktop"];
  kind: Schemas["ConnectKind"];
  main: Schemas["ConnectKind"] | null;
  reason: string;
  /** It is another desktop than the card's. */
  named?: boolean;
}) {
  if (!desktop.kinds.includes(kind)) return null;
  const primary = kind === main;
  // An external machine's screen is no console: it is what people come for.
  const words = desktop.external && kind === "vnc" ? WORDS.rdp : WORDS[kind];
  const verb = primary && desktop.state === "stopped" ? "Start and open" : words.verb;
  return (
    <ReasonButton
      variant={primary ? "primary" : "secondary"}
      reason={reason}
      component="a"
      href={viewerHref(desktop.id, kind)}
      target={viewerTab(desktop.name, kind)}
      aria-label={`${verb} ${desktop.name}: ${words.more}, in a tab of its own`}
    >
      {named ? `${verb} ${desktop.name}` : verb}
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
