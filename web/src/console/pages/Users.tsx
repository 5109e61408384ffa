/** Who can sign in, and who belongs together. */
import { Label, PageSection, ToggleGroup, ToggleGroupItem } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { answer, client, type Schemas } from "../../api/client";
import { useAct } from "../act";
import { Confirm } from "../parts/Confirm";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { RowActions } from "../parts/Row";
import { Secret } from "../parts/Secret";
import { When } from "../parts/When";
import { quotasQuery, usersQuery } from "../queries";
import { ROLES, whyNot } from "../roles";
import { useMe } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { ChangeRole } from "./users/ChangeRole";
import { Directories } from "./users/Directories";
import { Disks } from "./users/Disks";
import { Groups } from "./users/Groups";
import { NewUser } from "./users/NewUser";
import { Providers } from "./users/Providers";
import { limitsThere, QuotaForm, type QuotaScope } from "./users/QuotaForm";
import { Quotas } from "./users/Quotas";

type User = Schemas["User"];
type Made = Schemas["UserMade"];

export function Users() {
  return (
    <Only to="people_read" title="Users and groups">
      <Inside />
    </Only>
  );
}

function Inside() {
  const { tab } = useSearch({ from: "/users" });
  const navigate = useNavigate({ from: "/users" });
  const tabs = (
    <PageSection>
      <ToggleGroup aria-label="Users, groups, quotas, disks, directories or providers">
        <ToggleGroupItem text="Users" isSelected={!tab} onChange={() => void navigate({ search: {} })} />
        <ToggleGroupItem
          text="Groups"
          isSelected={tab === "groups"}
          onChange={() => void navigate({ search: { tab: "groups" } })}
        />
        <ToggleGroupItem
          text="Quotas"
          isSelected={tab === "quotas"}
          onChange={() => void navigate({ search: { tab: "quotas" } })}
        />
        <ToggleGroupItem
          text="Disks"
          isSelected={tab === "disks"}
          onChange={() => void navigate({ search: { tab: "disks" } })}
        />
        <ToggleGroupItem
          text="Directories"
          isSelected={tab === "directories"}
          onChange={() => void navigate({ search: { tab: "directories" } })}
        />
        <ToggleGroupItem
          text="Providers"
          isSelected={tab === "providers"}
          onChange={() => void navigate({ search: { tab: "providers" } })}
        />
      </ToggleGroup>
    </PageSection>
  );
  if (tab === "groups") return <Groups tabs={tabs} />;
  if (tab === "quotas") return <Quotas tabs={tabs} />;
  if (tab === "disks") return <Disks tabs={tabs} />;
  if (tab === "directories") return <Directories tabs={tabs} />;
  return tab === "providers" ? <Providers tabs={tabs} /> : <People tabs={tabs} />;
}

function People({ tabs }: { tabs: ReactNode }) {
  const me = useMe();
  const users = useQuery(usersQuery);
  const quotas = useQuery(quotasQuery);
  const [limited, setLimited] = useState<QuotaScope | null>(null);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<Made | null>(null);
  const [doomed, setDoomed] = useState<User | null>(null);
  const [forgot, setForgot] = useState<User | null>(null);
  const [lost, setLost] = useState<User | null>(null);
  const [other, setOther] = useState<User | null>(null);
  const locked = whyNot(me, "people_write");
  const params = (user: User) => ({ params: { path: { id: user.id } } });

  const change = useAct({
    do: ({ user, body }: { user: User; body: Schemas["UserChange"]; said: string }) =>
      answer(client.PATCH("/api/v1/users/{id}", { ...params(user), body })),
    touches: ["users"],
    good: (_, { user, said }) => `${user.name} ${said}`,
    bad: ({ user }) => `Could not change ${user.name}`,
  });

  return (
    <>
      <PageHead
        title="Users and groups"
        about="People who can sign in here."
        actions={
          <ReasonButton variant="primary" reason={locked} onClick={() => setMaking(true)}>
            New user
          </ReasonButton>
        }
      />
      {tabs}
      <Loaded query={users}>
        {(list) => (
          <Table aria-label="Users" variant="compact">
            <Thead>
              <Tr>
                <Th modifier="nowrap">Name</Th>
                <Th modifier="nowrap">Role</Th>
                <Th modifier="nowrap">State</Th>
                <Th modifier="nowrap">Groups</Th>
                <Th modifier="nowrap">Since</Th>
                <Th screenReaderText="Actions" />
              </Tr>
            </Thead>
            <Tbody>
              {list.map((user) => {
                const self = user.id === me.id;
                return (
                  <Tr key={user.id}>
                    <Td dataLabel="Name">
                      <strong>{user.name}</strong> {self && <span className="about">you</span>}
                      {(user.directory ?? user.provider) && (
                        <div className="about">from {user.directory ?? user.provider}</div>
                      )}
                    </Td>
                    <Td dataLabel="Role">
                      <Label isCompact color={ROLES[user.role].tone}>
                        {ROLES[user.role].text}
                      </Label>
                      {user.pools.length > 0 && (
                        <div className="about">{user.pools.map((pool) => pool.name).join(", ")}</div>
                      )}
                    </Td>
                    <Td dataLabel="State">
                      <State user={user} />{" "}
                      {user.second_factor && (
                        <Label isCompact color="teal">
                          Second factor
                        </Label>
                      )}
                    </Td>
                    <Td dataLabel="Groups" className="wrap">
                      {user.groups.map((group) => group.name).join(", ") || (
                        <span className="about">none</span>
                      )}
                    </Td>
                    <Td dataLabel="Since">
                      <When at={user.created_at} />
                    </Td>
                    <Td isActionCell>
                      <RowActions
                        of={user.name}
                        actions={[
                          {
                            text: user.disabled ? "Enable" : "Disable",
                            reason: locked || (self ? "Nobody locks themselves out" : ""),
                            act: () =>
                              change.mutate({
                                user,
                                body: { disabled: !user.disabled },
                                said: user.disabled ? "can sign in again" : "can no longer sign in",
                              }),
                          },
                          {
                            text: "Change role…",
                            reason: locked || (self ? "Ask another admin to do this" : ""),
                            act: () => setOther(user),
                          },
                          {
                            text: "Quota…",
                            reason: locked || (quotas.data ? "" : "Quotas are not loaded yet"),
                            act: () => setLimited({ of: "user", id: user.id, name: user.name }),
                          },
                          {
                            text: "Reset password…",
                            reason:
                              locked ||
                              ((user.directory ?? user.provider)
                                ? `Their password is kept by ${user.directory ?? user.provider}`
                                : self
                                  ? "Change your own under My account"
                                  : ""),
                            act: () => setForgot(user),
                          },
                          {
                            text: "Reset second factor…",
                            reason:
                              locked ||
                              (self
                                ? "Change your own under My account"
                                : user.second_factor
                                  ? ""
                                  : "They have none"),
                            act: () => setLost(user),
                          },
                          {
                            text: "Delete…",
                            danger: true,
                            reason: locked || (self ? "Ask another admin to do this" : ""),
                            act: () => setDoomed(user),
                          },
                        ]}
                      />
                    </Td>
                  </Tr>
                );
              })}
            </Tbody>
          </Table>
        )}
      </Loaded>
      {making && (
        <NewUser
          onClose={() => setMaking(false)}
          onMade={(done) => {
            setMaking(false);
            setMade(done);
          }}
        />
      )}
      {made?.one_time_password && (
        <Secret
          title={`A password for ${made.user.name}`}
          label="One-time password"
          secret={made.one_time_password}
          onClose={() => setMade(null)}
        >
          Give this to {made.user.name}. It works for one sign-in, where they choose their own.
        </Secret>
      )}
      {limited && (
        <QuotaForm
          scope={limited}
          limits={limitsThere(quotas.data ?? [], limited)}
          onClose={() => setLimited(null)}
        />
      )}
      {other && <ChangeRole user={other} onClose={() => setOther(null)} />}
      {forgot && (
        <Confirm
          title={`Reset the password of ${forgot.name}?`}
          verb="Reset password"
          do={() =>
            answer(client.PATCH("/api/v1/users/{id}", { ...params(forgot), body: { reset_password: true } }))
          }
          touches={["users"]}
          onDone={setMade}
          onClose={() => setForgot(null)}
        >
          <p>
            <strong>The password they have stops working</strong>, and they are signed out everywhere. You get
            a one-time password to give them.
          </p>
        </Confirm>
      )}
      {lost && (
        <Confirm
          title={`Reset the second factor of ${lost.name}?`}
          verb="Reset second factor"
          do={() => answer(client.DELETE("/api/v1/users/{id}/second-factor", params(lost)))}
          touches={["users"]}
          good={() => `${lost.name} has no second factor now`}
          onClose={() => setLost(null)}
        >
          <p>
            <strong>Their app, passkeys, recovery codes and remembered browsers stop working</strong>, and
            they are signed out everywhere. Make sure that it is them who asked: then their password alone
            lets them in, and where a group asks for a second factor, whoever signs in next sets it up.
          </p>
        </Confirm>
      )}
      {doomed && (
        <Confirm
          title={`Delete ${doomed.name}?`}
          verb="Delete user"
          do={() => answer(client.DELETE("/api/v1/users/{id}", params(doomed)))}
          touches={["users", "groups", "pools"]}
          good={() => `${doomed.name} was deleted`}
          onClose={() => setDoomed(null)}
        >
          <p>
            <strong>Their account, API tokens, groups and access to pools are lost.</strong> Someone who still
            has desktops cannot be deleted; to keep an account but lock it, disable it.
          </p>
        </Confirm>
      )}
    </>
  );
}

function State({ user }: { user: User }) {
  if (user.disabled) {
    return (
      <Label isCompact color="orange">
        Disabled
      </Label>
    );
  }
  if (user.must_change_password) {
    return (
      <Label isCompact color="blue">
        One-time password
      </Label>
    );
  }
  return (
    <Label isCompact color="green">
      Active
    </Label>
  );
}
