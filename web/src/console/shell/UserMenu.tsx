import { Divider, Dropdown, DropdownItem, DropdownList, MenuToggle } from "@patternfly/react-core";
import UserIcon from "@patternfly/react-icons/dist/esm/icons/user-icon";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas, setCsrf } from "../../api/client";
import { meQuery } from "../queries";
import { ROLES } from "../roles";
import { useToasts } from "../toasts";

export function UserMenu({ me }: { me: Schemas["Me"] }) {
  const [open, setOpen] = useState(false);
  const navigate = useNavigate();
  const queries = useQueryClient();
  const toasts = useToasts();

  const signOut = async () => {
    try {
      await answer(client.POST("/api/v1/logout"));
      setCsrf("");
      await navigate({ to: "/" });
      await queries.resetQueries({ queryKey: meQuery.queryKey });
    } catch (error) {
      toasts.bad("Could not sign out", error);
    }
  };

  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={() => setOpen(false)}
      popperProps={{ position: "right" }}
      toggle={(ref) => (
        <MenuToggle
          ref={ref}
          variant="plainText"
          isExpanded={open}
          onClick={() => setOpen(!open)}
          aria-label={`Account: ${me.name}`}
          icon={<UserIcon />}
        >
          <span className="user-name">{me.name}</span>
        </MenuToggle>
      )}
    >
      <DropdownList>
        <DropdownItem
          key="account"
          description={me.role === "user" ? undefined : `Role: ${ROLES[me.role].text.toLowerCase()}`}
          onClick={() => void navigate({ to: "/account" })}
        >
          My account
        </DropdownItem>
        <Divider key="line" component="li" />
        <DropdownItem key="out" onClick={() => void signOut()}>
          Sign out
        </DropdownItem>
      </DropdownList>
    </Dropdown>
  );
}
