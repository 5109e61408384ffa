import { FormGroup, Radio, Skeleton } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client } from "../../../api/client";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { recipesQuery } from "../../queries";
import { nameFault } from "../../words";

export function BuildImage({ onClose }: { onClose: () => void }) {
  const recipes = useQuery(recipesQuery);
  const [picked, setPicked] = useState("");
  const [name, setName] = useState("");
  const recipe = picked || recipes.data?.[0]?.name || "";
  const build = useAct({
    do: () => answer(client.POST("/api/v1/images/build", { body: { recipe, name: name || null } })),
    touches: ["operations", "images"],
    good: (operation) => `${operation.title} has begun`,
    more: (operation) => (
      <Link to="/operations" search={{ id: operation.id }}>
        Watch its progress
      </Link>
    ),
    after: onClose,
  });

  return (
    <FormModal
      title="Build an image"
      about="It goes on in the background and survives a restart of Oriel."
      verb="Build"
      reason={nameFault(name) || (recipe ? "" : "Choose a recipe")}
      busy={build.isPending}
      error={build.error ?? recipes.error}
      onSend={() => build.mutate()}
      onClose={onClose}
    >
      <FormGroup role="radiogroup" label="Recipe" fieldId="recipe" isStack>
        {recipes.isPending && <Skeleton height="3rem" screenreaderText="Loading recipes" />}
        {recipes.data?.map((r) => (
          <Radio
            key={r.name}
            id={`recipe-${r.name}`}
            name="recipe"
            label={r.title}
            description={r.description}
            isChecked={r.name === recipe}
            onChange={() => setPicked(r.name)}
          />
        ))}
      </FormGroup>
      <Field
        label="Name"
        value={name}
        onChange={setName}
        placeholder={recipe}
        fault={nameFault(name)}
        help="The recipe's name when left empty; a name that exists gets its next version"
      />
    </FormModal>
  );
}
