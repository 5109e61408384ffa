/** How desktops of a cloud are reached: from where, through which machine, and what becomes of those that are off. */
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Area, Choice, Field, Tick } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { type ReachDraft, reachChange, reachFault, reachOf } from "./cloud-form";

export function ReachForm({ cloud, onClose }: { cloud: Schemas["Cloud"]; onClose: () => void }) {
  const [draft, setDraft] = useState<ReachDraft>(() => reachOf(cloud));
  const set = (more: Partial<ReachDraft>) => setDraft((before) => ({ ...before, ...more }));
  const kept = cloud.reach.jump;
  const save = useAct({
    do: () =>
      answer(
        client.PUT("/api/v1/clouds/{id}", {
          params: { path: { id: cloud.id } },
          body: reachChange(draft),
        }),
      ),
    touches: ["clouds"],
    good: () => `Desktops on ${cloud.name} are reached anew`,
    after: onClose,
  });
  const choices: Array<readonly [string, string]> = [
    ["", "Straight"],
    ...(kept ? [["kept", `Through ${kept.user}@${kept.host}:${kept.port}`] as const] : []),
    ["new", kept ? "Through another jump host" : "Through a jump host (SSH)"],
  ];
  return (
    <FormModal
      title={`Reach desktops on ${cloud.name}`}
      about="Their RDP, SSH and screens. Holds at once, for all that stand there."
      verb="Save"
      reason={reachFault(draft)}
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={onClose}
      variant="medium"
    >
      <Area
        label="Only from these networks"
        value={draft.from}
        onChange={(from) => set({ from })}
        placeholder="192.0.2.7"
        help="One a line: this server's address as the cloud sees it, or the jump host's. Empty for anywhere. Everything else is closed"
      />
      <Choice
        label="Way there"
        value={draft.jump}
        onChange={(jump) => set({ jump: jump as ReachDraft["jump"] })}
        options={choices}
        help={draft.jump === "kept" && kept ? `It must show ${kept.host_key}` : undefined}
      />
      {draft.jump === "new" && (
        <>
          <Field label="Jump host" value={draft.host} onChange={(host) => set({ host })} required />
          <Field
            label="Its port"
            type="number"
            min={1}
            max={65_535}
            value={draft.port}
            onChange={(port) => set({ port })}
          />
          <Field label="Account there" value={draft.user} onChange={(user) => set({ user })} required />
          <Area
            label="Private key"
            value={draft.key}
            onChange={(key) => set({ key })}
            placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
            help="Kept sealed, shown to nobody"
          />
          <Field
            label="Passphrase of the key"
            type="password"
            value={draft.passphrase}
            onChange={(passphrase) => set({ passphrase })}
            autoComplete="new-password"
          />
          <Field
            label="Key that it must show"
            value={draft.hostKey}
            onChange={(hostKey) => set({ hostKey })}
            placeholder="ssh-ed25519 AAAA…"
            help="Empty: the one that it shows now, from now on"
          />
        </>
      )}
      <Tick
        label="Shelve desktops that are off"
        help="After ten minutes: they take no room on a host, and longer to start"
        value={draft.shelve}
        onChange={(shelve) => set({ shelve })}
      />
    </FormModal>
  );
}
