/** Right after the first sign-in: the one-time password is good for this only. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Schemas } from "../../api/client";
import { PasswordForm } from "../parts/PasswordForm";
import { SignOut } from "../parts/SignOut";
import { meQuery } from "../queries";
import { Door } from "../shell/Door";

export function FirstPassword({ me }: { me: Schemas["Me"] }) {
  const queries = useQueryClient();
  const refresh = () => queries.resetQueries({ queryKey: meQuery.queryKey });
  useEffect(() => {
    document.title = "Choose a password · Oriel";
  }, []);
  return (
    <Door
      title="Choose your password"
      about={`Welcome, ${me.name}. The password you were given works once; choose your own to go on.`}
    >
      <PasswordForm
        name={me.name}
        currentLabel="One-time password"
        verb="Set password and go on"
        onDone={() => void refresh()}
      />
      <SignOut />
    </Door>
  );
}
