/** Start, stop, restart; for admins recycle and delete, which ask first. */
import { Divider, Dropdown, DropdownItem, DropdownList, MenuToggle } from "@patternfly/react-core";
import EllipsisVIcon from "@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { whyNot } from "../../can";
import { Confirm } from "../../parts/Confirm";
import { may } from "../../roles";
import { useMe } from "../../shell/me";
import { RemoveMachine } from "../pools/RemoveMachine";
import { CaptureDesktop } from "./CaptureDesktop";
import { CdDrive } from "./CdDrive";
import { CloudMachine } from "./CloudMachine";

type Desktop = Schemas["Desktop"];
type Move = "start" | "stop" | "restart";
const SAID: Record<Move, string> = {
  start: "is starting",
  stop: "is stopping",
  restart: "is restarting",
};
const PATHS = {
  start: "/api/v1/desktops/{id}/start",
  stop: "/api/v1/desktops/{id}/stop",
  restart: "/api/v1/desktops/{id}/restart",
} as const;

export function DesktopMenu({ desktop, admin }: { desktop: Desktop; admin: boolean }) {
  const me = useMe();
  const [open, setOpen] = useState(false);
  const [ask, setAsk] = useState<
    "cd" | "cut" | "recycle" | "delete" | "remove" | "machine" | "capture" | null
  >(null);
  const params = { path: { id: desktop.id } };
  const move = useAct({
    do: (what: Move) => answer(client.POST(PATHS[what], { params })),
    touches: ["desktops"],
    good: (_, what) => `${desktop.name} ${SAID[what]}`,
    bad: (what) => `Could not ${what} ${desktop.name}`,
  });
  const item = (text: string, reason: string, act: () => void, danger = false) => (
    <DropdownItem
      key={text}
      isAriaDisabled={reason !== ""}
      description={reason || undefined}
      isDanger={danger}
      onClick={() => {
        setOpen(false);
        act();
      }}
    >
      {text}
    </DropdownItem>
  );

  return (
    <>
      <Dropdown
        isOpen={open}
        onOpenChange={setOpen}
        popperProps={{ position: "right" }}
        shouldFocusToggleOnSelect
        toggle={(ref) => (
          <MenuToggle
            ref={ref}
            variant="plain"
            isExpanded={open}
            onClick={() => setOpen(!open)}
            aria-label={`Actions for ${desktop.name}`}
            icon={<EllipsisVIcon />}
          />
        )}
      >
        <DropdownList>
          {desktop.external && item("Remove…", "", () => setAsk("remove"), true)}
          {!desktop.external && item("Start", whyNot.start(desktop), () => move.mutate("start"))}
          {!desktop.external && item("Stop", whyNot.stop(desktop), () => move.mutate("stop"))}
          {!desktop.external && item("Restart", whyNot.restart(desktop), () => move.mutate("restart"))}
          {!desktop.external && item("CD drive…", "", () => setAsk("cd"))}
          {!desktop.external && item("Cut power…", whyNot.stop(desktop), () => setAsk("cut"), true)}
          {admin && !desktop.external && (
            <>
              <Divider component="li" />
              {desktop.host?.startsWith("cloud:") &&
                item("Flavor, host and snapshots…", "", () => setAsk("machine"))}
              {may(me, "images_write") &&
                item("Make an image of it…", whyNot.capture(desktop), () => setAsk("capture"))}
              {item("Recycle…", whyNot.recycle(desktop), () => setAsk("recycle"))}
              {item("Delete…", whyNot.remove(desktop), () => setAsk("delete"), true)}
            </>
          )}
        </DropdownList>
      </Dropdown>
      {ask === "cd" && <CdDrive desktop={desktop} admin={admin} onClose={() => setAsk(null)} />}
      {ask === "cut" && (
        <Confirm
          title={`Cut the power of ${desktop.name}?`}
          verb="Cut power"
          do={() => answer(client.POST("/api/v1/desktops/{id}/cut", { params }))}
          touches={["desktops"]}
          good={() => `${desktop.name} is being switched off`}
          onClose={() => setAsk(null)}
        >
          Its system is not asked: what is not saved is lost, and its file systems may be damaged. Where it
          still answers, Stop is kinder.
        </Confirm>
      )}
      {ask === "recycle" && (
        <Confirm
          title={`Recycle ${desktop.name}?`}
          verb="Recycle desktop"
          do={() => answer(client.POST("/api/v1/desktops/{id}/recycle", { params }))}
          touches={["desktops"]}
          good={() => `${desktop.name} is being made anew`}
          onClose={() => setAsk(null)}
        >
          <Loses desktop={desktop} />
          <p>
            It is then made anew from the newest version of its pool's image, with the same name and owner.
          </p>
        </Confirm>
      )}
      {ask === "capture" && <CaptureDesktop desktop={desktop} onClose={() => setAsk(null)} />}
      {ask === "machine" && <CloudMachine desktop={desktop} onClose={() => setAsk(null)} />}
      {ask === "remove" && <RemoveMachine machine={desktop} onClose={() => setAsk(null)} />}
      {ask === "delete" && (
        <Confirm
          title={`Delete ${desktop.name}?`}
          verb="Delete desktop"
          do={() => answer(client.DELETE("/api/v1/desktops/{id}", { params }))}
          touches={["desktops", "pools", "images"]}
          good={() => `${desktop.name} is being deleted`}
          onClose={() => setAsk(null)}
        >
          <Loses desktop={desktop} />
          <p>
            The pool {desktop.pool.name} and its image {desktop.facts.image} stay.
          </p>
        </Confirm>
      )}
    </>
  );
}

function Loses({ desktop }: { desktop: Desktop }) {
  const open = desktop.connections;
  return (
    <p>
      <strong>Everything on its disk is lost</strong>: the files, settings and programs
      {desktop.owner ? ` of ${desktop.owner.name}` : ""} on {desktop.name}.
      {open > 0 && ` ${open === 1 ? "The open connection ends" : `${open} open connections end`}.`}
    </p>
  );
}
