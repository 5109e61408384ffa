import { useSuspenseQuery } from "@tanstack/react-query";
import { meQuery } from "../queries";
import { type Permission, whyNot } from "../roles";

/** Who is signed in. Only below `Gate`, which has asked already. */
export const useMe = () => useSuspenseQuery(meQuery).data;

/** Why a button can't be pressed by whoever is signed in, or "". */
export const useWhyNot = (permission: Permission) => whyNot(useMe(), permission);
