/** The README's pictures, from the real thing: `ORIEL_E2E_PICTURES=docs ./test e2e` takes them anew. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type Desktop, eventually, house, plan, Visit } from "./oriel";

/** A folder of this repository. */
const folder =
  process.env.ORIEL_E2E_PICTURES &&
  fileURLToPath(new URL(`../../${process.env.ORIEL_E2E_PICTURES}`, import.meta.url));
const SESSION = "DISPLAY=:10 XAUTHORITY=$HOME/.Xauthority";

describe.skipIf(!folder)("pictures", () => {
  let visit: Visit;
  let desktop: Desktop;

  beforeAll(async () => {
    visit = await Visit.start();
    desktop = await visit.desktop(await visit.signIn());
  });
  afterAll(() => visit?.close());

  it("a desktop in a tab", async () => {
    const screen = await visit.view(desktop, "rdp");
    const shell = await visit.shell(desktop);
    const windows = (count: number) =>
      eventually(`${count} windows`, () =>
        shell.answers(`${SESSION} xprop -root _NET_CLIENT_LIST | grep -o 0x | wc -l`, String(count)),
      );
    await shell.run(
      "mkdir -p ~/Documents ~/Music ~/Pictures ~/Videos ~/Projects; touch ~/Notes.txt ~/Budget.ods",
    );
    await shell.run("pkill -ix thunar; pkill -x xfce4-terminal; sleep 1");
    const before = Number(await shell.run(`${SESSION} xprop -root _NET_CLIENT_LIST | grep -o 0x | wc -l`));
    await shell.run(`${SESSION} setsid thunar $HOME >/dev/null 2>&1 </dev/null &`);
    await windows(before + 1);
    await screen.page.bringToFront();
    await screen.settled();
    // By its title bar to the left.
    await screen.page.mouse.move(500, 136);
    await screen.page.mouse.down();
    await screen.page.mouse.move(380, 120, { steps: 6 });
    await screen.page.mouse.move(330, 96, { steps: 6 });
    await screen.page.mouse.up();
    await shell.run(
      `${SESSION} setsid xfce4-terminal --disable-server --geometry 66x19+590+330 --working-directory $HOME >/dev/null 2>&1 </dev/null &`,
    );
    await windows(before + 2);
    await screen.page.bringToFront();
    await screen.settled();
    for (const line of ["uname -sr\n", "ls -l\n"]) {
      await screen.type(line);
      await screen.page.waitForTimeout(1500);
    }
    await screen.page.mouse.move(250, 700);
    await screen.page.waitForTimeout(1500);
    await screen.page.screenshot({ path: `${folder}/desktop-in-a-tab.png` });
  });

  it("my desktops", async () => {
    await house.oriel("desktop", "create", "studio", "--owner", plan.admin.name, "--name", "studio-2");
    const page = await visit.page();
    await page.getByRole("article", { name: "studio-2" }).getByText("Booting").waitFor();
    await page.waitForTimeout(5000);
    await page.screenshot({ path: `${folder}/my-desktops.png` });
    await house.oriel("desktop", "delete", "studio-2");
  });
});
