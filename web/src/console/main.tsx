document.title = "Oriel";

export {};
