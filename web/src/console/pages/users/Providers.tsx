/** Where people sign in who do not do it here. */
import {
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
  Label,
} from "@patternfly/react-core";
import KeyIcon from "@patternfly/react-icons/dist/esm/icons/key-icon";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Confirm } from "../../parts/Confirm";
import { Loaded } from "../../parts/Loaded";
import { ReasonButton } from "../../parts/ReasonButton";
import { RowActions } from "../../parts/Row";
import { providersQuery } from "../../queries";
import { whyNot } from "../../roles";
import { useMe } from "../../shell/me";
import { PageHead } from "../../shell/PageHead";
import { count } from "../../words";
import { ProviderForm } from "./ProviderForm";
import { TestProvider } from "./TestProvider";

type Provider = Schemas["Provider"];
type Open = { is: "new" } | { is: "edit" | "test" | "delete"; provider: Provider };

export function Providers({ tabs }: { tabs: ReactNode }) {
  const providers = useQuery(providersQuery);
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  const locked = whyNot(useMe(), "people_write");
  const change = useAct({
    do: ({ provider, enabled }: { provider: Provider; enabled: boolean }) =>
      answer(
        client.PATCH("/api/v1/providers/{id}", {
          params: { path: { id: provider.id } },
          body: { enabled },
        }),
      ),
    touches: ["providers"],
    good: (made) => `${made.name} is ${made.enabled ? "asked again" : "no longer asked"}`,
    bad: ({ provider }) => `Could not change ${provider.name}`,
  });
  return (
    <>
      <PageHead
        title="Users and groups"
        about="Providers of identities (OpenID Connect), by which people sign in."
        actions={
          <ReasonButton variant="primary" reason={locked} onClick={() => setOpen({ is: "new" })}>
            New provider
          </ReasonButton>
        }
      />
      {tabs}
      <Loaded query={providers}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={KeyIcon} titleText="No providers yet" headingLevel="h2">
              <EmptyStateBody>
                People sign in here with a name and a password, or at a provider: Keycloak, Entra ID, Google
                and their like.
              </EmptyStateBody>
              <EmptyStateFooter>
                <EmptyStateActions>
                  <ReasonButton variant="secondary" reason={locked} onClick={() => setOpen({ is: "new" })}>
                    Add the first
                  </ReasonButton>
                </EmptyStateActions>
              </EmptyStateFooter>
            </EmptyState>
          ) : (
            <Table aria-label="Providers" variant="compact">
              <Thead>
                <Tr>
                  <Th modifier="nowrap">Name</Th>
                  <Th modifier="nowrap">Issuer</Th>
                  <Th modifier="nowrap">State</Th>
                  <Th modifier="nowrap">People</Th>
                  <Th modifier="nowrap">Lets in</Th>
                  <Th screenReaderText="Actions" />
                </Tr>
              </Thead>
              <Tbody>
                {list.map((d) => (
                  <Tr key={d.id}>
                    <Td dataLabel="Name" className="wrap">
                      <strong>{d.name}</strong>
                    </Td>
                    <Td dataLabel="Issuer" className="wrap">
                      {d.settings.issuer}
                    </Td>
                    <Td dataLabel="State">
                      <Label isCompact color={d.enabled ? "green" : "orange"}>
                        {d.enabled ? "Asked" : "Switched off"}
                      </Label>
                    </Td>
                    <Td dataLabel="People">
                      {d.people === 0 ? "nobody yet" : count(d.people, "person", "people")}
                    </Td>
                    <Td dataLabel="Lets in" className="wrap">
                      {d.settings.only_mapped
                        ? `who is in ${count(d.settings.groups.length + d.settings.roles.length, "mapped group", "mapped groups")}`
                        : "everybody"}
                    </Td>
                    <Td isActionCell>
                      <RowActions
                        of={d.name}
                        actions={[
                          { text: "Test…", reason: locked, act: () => setOpen({ is: "test", provider: d }) },
                          { text: "Edit…", reason: locked, act: () => setOpen({ is: "edit", provider: d }) },
                          {
                            text: d.enabled ? "Switch off" : "Switch on",
                            reason: locked,
                            act: () => change.mutate({ provider: d, enabled: !d.enabled }),
                          },
                          {
                            text: "Delete…",
                            danger: true,
                            reason: locked || (d.people > 0 ? "People here come from it" : ""),
                            act: () => setOpen({ is: "delete", provider: d }),
                          },
                        ]}
                      />
                    </Td>
                  </Tr>
                ))}
              </Tbody>
            </Table>
          )
        }
      </Loaded>
      {open?.is === "new" && (
        <ProviderForm onClose={close} onMade={(provider) => setOpen({ is: "test", provider })} />
      )}
      {open?.is === "edit" && <ProviderForm provider={open.provider} onClose={close} onMade={close} />}
      {open?.is === "test" && <TestProvider provider={open.provider} onClose={close} />}
      {open?.is === "delete" && (
        <Confirm
          title={`Delete the provider ${open.provider.name}?`}
          verb="Delete provider"
          do={() =>
            answer(client.DELETE("/api/v1/providers/{id}", { params: { path: { id: open.provider.id } } }))
          }
          touches={["providers"]}
          good={() => `The provider ${open.provider.name} was deleted`}
          onClose={close}
        >
          <p>
            <strong>Nobody signs in by it any more</strong>, and what was kept to ask it is lost. Nobody here
            comes from it.
          </p>
        </Confirm>
      )}
    </>
  );
}
