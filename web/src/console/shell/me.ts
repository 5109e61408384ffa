import { useSuspenseQuery } from "@tanstack/react-query";
import { meQuery } from "../queries";

/** Who is signed in. Only below `Gate`, which has asked already. */
export const useMe = () => useSuspenseQuery(meQuery).data;
