import { useQuery } from "@tanstack/react-query";
import { Choice, Tick } from "../../parts/Field";
import { poolsQuery } from "../../queries";
import { ROLE_CHOICES, type Role } from "../../roles";

export interface RoleDraft {
  role: Role;
  /** Ids of the pools of a pool admin. */
  pools: ReadonlyArray<string>;
}

/** What can't be sent, in a sentence; empty when it can. */
export const roleFault = ({ role, pools }: RoleDraft) =>
  role === "pool_admin" && pools.length === 0 ? "Tick the pools that they administer" : "";

/** As the API takes it. */
export const roleBody = ({ role, pools }: RoleDraft) =>
  role === "pool_admin" ? { role, pools: [...pools] } : { role };

export function RoleChoice({ value, onChange }: { value: RoleDraft; onChange: (value: RoleDraft) => void }) {
  const pools = useQuery(poolsQuery);
  return (
    <>
      <Choice
        label="Role"
        value={value.role}
        onChange={(role) => onChange({ ...value, role: role as Role })}
        options={ROLE_CHOICES}
      />
      {value.role === "pool_admin" && (
        <fieldset className="permissions">
          <legend>Pools that they administer</legend>
          {(pools.data ?? []).map((pool) => (
            <Tick
              key={pool.id}
              label={pool.name}
              value={value.pools.includes(pool.id)}
              onChange={(on) =>
                onChange({
                  ...value,
                  pools: on ? [...value.pools, pool.id] : value.pools.filter((other) => other !== pool.id),
                })
              }
            />
          ))}
          {pools.data?.length === 0 && <p className="about">There is no pool yet.</p>}
        </fieldset>
      )}
    </>
  );
}
