"""pikvm-lib, a client of PiKVM by others, against a device of ours: `python try.py PROGRAM`, PROGRAM being the example memory-device.

What it sends must arrive as the reports, buttons and media that a real PiKVM makes of it."""

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

os.environ["PIKVM_LIB_LOG_FILE"] = os.devnull

from pikvm_lib import PiKVM, PiKVMWebsocket  # noqa: E402

program = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
lines = queue.Queue()
threading.Thread(target=lambda: [lines.put(line.strip()) for line in program.stdout], daemon=True).start()
passed = failed = 0


def check(what, right):
    global passed, failed
    passed, failed = passed + bool(right), failed + (not right)
    print(f"{'ok' if right else 'FAILED'}: {what}")


def arrives(what, wanted):
    """These lines, in this order; others may stand between them."""
    seen, left, end = [], list(wanted), time.time() + 5
    while left and time.time() < end:
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        seen.append(line)
        if line == left[0]:
            left.pop(0)
    check(what, not left)
    if left:
        print(f"   missing {left} in {seen}")


def until(what, look):
    end = time.time() + 5
    while not (found := look()) and time.time() < end:
        time.sleep(0.05)
    check(what, found)


try:
    ready = lines.get(timeout=10)
    address = ready.removeprefix("ready: ")
    device = PiKVM(address, "admin", "secret")
    check("it is let in", device.isauth())
    device.headers["X-KVMD-Passwd"] = "wrong"
    check("a wrong password is not", not device.isauth())
    device.headers["X-KVMD-Passwd"] = "secret"
    info = device.get_system_info()
    check("its version is kvmd's", info["system"]["kvmd"]["version"] == "4.197")

    check("power is off", device.get_atx_state()["leds"]["power"] is False)
    device.set_atx_power(action="on")
    arrives("the power button is pressed", ["button Power"])
    until("the light follows", lambda: device.get_atx_state()["leds"]["power"])
    until("the button is up", lambda: not device.get_atx_state()["busy"])
    device.click_atx_button("reset")
    arrives("the reset button is pressed", ["button Reset"])

    keys = PiKVMWebsocket(address, "admin", "secret")
    keys.send_input("aB!")
    arrives(
        "keys arrive as reports",
        [
            "keyboard 0000040000000000",
            "keyboard 0000000000000000",
            "keyboard 0200000000000000",
            "keyboard 0200050000000000",
            "keyboard 0000000000000000",
            "keyboard 0200000000000000",
            "keyboard 02001e0000000000",
            "keyboard 0000000000000000",
        ],
    )
    keys.send_ctrl_alt_sup()
    arrives("Ctrl, Alt and Delete arrive", ["keyboard 05004c0000000000", "keyboard 0000000000000000"])
    keys.close()

    image = device.get_streamer_image()
    check("the picture has its size", image.size == (640, 480))
    red, blue = image.convert("RGB").getpixel((100, 100)), image.convert("RGB").getpixel((500, 100))
    check("the picture is the machine's", red[0] > 240 and red[2] < 16 and blue[2] > 240 and blue[0] < 16)

    with tempfile.NamedTemporaryFile(suffix=".iso") as iso:
        iso.write(b"\7" * 100_000)
        iso.flush()
        name = os.path.basename(iso.name)
        device.upload_msd_image(iso.name)
        until("an image is listed", lambda: device.get_msd_state()["storage"]["images"].get(name, {}).get("complete"))
        check("with its size", device.get_msd_state()["storage"]["images"][name]["size"] == 100_000)
        device.set_msd_parameters(name, cdrom=True)
        device.connect_msd()
        arrives("the machine sees it", [f"medium {name}"])
        device.disconnect_msd()
        arrives("and no longer", ["medium none"])
        device.remove_msd_image(name)
        until("it is removed", lambda: name not in device.get_msd_state()["storage"]["images"])
    check("there are no switches", device.get_gpio_state()["state"] == {"inputs": {}, "outputs": {}})
finally:
    program.stdin.close()
    program.wait(timeout=10)

# As `./test` counts.
print(f"test result: {'FAILED' if failed else 'ok'}. {passed} passed; {failed} failed")
sys.exit(1 if failed else 0)
